#include <utility>

#include "form.h"
#include "input_state.h"

namespace fleetward::api::codec {
namespace {

using nlohmann::json;

constexpr int kMaxJsonDepth = 64;

/// Nesting of brackets outside strings; the JSON parser itself has no limit.
int Depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

bool IsBlank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

const std::string* Find(const std::vector<NameValue>& list, std::string_view name) {
  for (const auto& [key, value] : list) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

Input::Input() : state_(std::make_unique<State>()) {}
Input::Input(Input&&) noexcept = default;
Input::~Input() = default;

Input Input::Rest(const RequestParts& parts) {
  Input input;
  input.state_->parts = &parts;
  input.state_->document = parts.body;
  return input;
}

Input Input::Form(const RequestParts& parts) {
  Input input;
  input.state_->parts = &parts;
  input.state_->form = true;
  return input;
}

Input Input::Document(std::string_view text) {
  Input input;
  input.state_->document = text;
  return input;
}

bool Input::IsForm() const { return state_->form; }

Value Input::Root() {
  State& state = *state_;
  if (!state.parsed) {
    state.parsed = true;
    state.tree = json::object();
    if (state.form) {
      Result<json> tree = FormTree(state.parts->query);
      if (tree.ok()) {
        state.tree = std::move(tree).value();
      } else {
        Fail(tree.error().message());
      }
    } else if (!IsBlank(state.document)) {
      if (Depth(state.document) > kMaxJsonDepth) {
        Fail("The request body is nested too deeply");
      } else {
        state.tree = json::parse(state.document, nullptr, /*allow_exceptions=*/false);
        if (!state.tree.is_object()) Fail("The request body is not a JSON object");
      }
    }
  }
  Value root;
  root.input_ = this;
  root.node_ = &state.tree;
  root.present_ = ok();
  return root;
}

Value Input::TextValue(std::string_view name, const std::string* text, bool required) {
  Value value;
  if (!ok()) return value;
  value.input_ = this;
  value.name_ = name;
  if (text) {
    value.text_ = *text;
    value.present_ = true;
  } else if (required) {
    value.FailConstraint("null", "not be null");
  }
  return value;
}

Value Input::Label(std::string_view name, bool required) {
  return TextValue(name, Find(state_->parts->labels, name), required);
}

Value Input::Query(std::string_view name, bool required) {
  return TextValue(name, Find(state_->parts->query, name), required);
}

Value Input::Header(std::string_view name, bool required) {
  return TextValue(name, state_->parts->FindHeader(name), required);
}

Value Input::RawBody() {
  Value value;
  if (!ok()) return value;
  value.input_ = this;
  value.name_ = "body";
  value.text_ = state_->document;
  value.present_ = !state_->document.empty();
  return value;
}

Status Input::Finish() const {
  if (error_) return Error(*error_);
  return {};
}

void Input::Fail(std::string message) {
  if (!error_) error_ = std::make_unique<Error>(Code::kInvalidArgument, std::move(message));
}

}  // namespace fleetward::api::codec
