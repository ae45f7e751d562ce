#include "fleetward/registry/thing_groups.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "test_registry.h"

namespace fleetward::registry {
namespace {

using model::ThingGroupName;
using model::ThingName;

// A store that counts what is read from it: calls, and the entries that scans hand out.
class CountingStore final : public store::ControlStore {
 public:
  explicit CountingStore(store::ControlStore& store) : store_(store) {}
  Status Write(std::string_view actor, const WriteBody& body) override { return store_.Write(actor, body); }
  Status Read(const ReadBody& body) const override {
    return store_.Read([&](const store::Reader& reader) { return body(Counting(reader, reads)); });
  }
  mutable std::size_t reads = 0;

 private:
  class Counting final : public store::Reader {
   public:
    Counting(const store::Reader& reader, std::size_t& reads) : reader_(reader), reads_(reads) {}
    Result<std::optional<std::string>> Get(const store::Table& table, std::string_view key) const override {
      ++reads_;
      return reader_.Get(table, key);
    }
    Status Scan(const store::Table& table, std::string_view from, std::string_view until,
                const store::ScanFn& fn) const override {
      ++reads_;
      return reader_.Scan(table, from, until, [&](auto key, auto value) { return ++reads_, fn(key, value); });
    }
    Status ScanDown(const store::Table& table, std::string_view from, std::string_view until,
                    const store::ScanFn& fn) const override {
      ++reads_;
      return reader_.ScanDown(table, from, until, [&](auto key, auto value) { return ++reads_, fn(key, value); });
    }
    Status History(const store::Table& table, std::string_view key, const store::HistoryFn& fn) const override {
      return reader_.History(table, key, fn);
    }
    Status HistoryUntil(const store::Table& table, Timestamp until,
                        const std::function<bool(std::string_view, const store::Change&)>& fn) const override {
      return reader_.HistoryUntil(table, until, fn);
    }

   private:
    const store::Reader& reader_;
    std::size_t& reads_;
  };

  store::ControlStore& store_;
};

struct ThingGroupsTest : TestRegistry {
  std::string Names(const ThingGroupFilter& filter, std::size_t limit = 25) {
    std::string text;
    PageRequest request{.after = "", .limit = limit};
    do {
      auto page = *registry->thing_groups.List(filter, request);
      for (const auto& name : page.items) text += name.value() + " ";
      request.after = page.next;
    } while (!request.after.empty());
    return text;
  }
  std::string Members(const std::string& group, bool recursive, std::size_t limit = 25) {
    std::string text;
    PageRequest request{.after = "", .limit = limit};
    do {
      auto page = *registry->thing_groups.ListThings(ThingGroupName(group), recursive, request);
      for (const auto& name : page.items) text += name.value() + " ";
      request.after = page.next;
    } while (!request.after.empty());
    return text;
  }
};

TEST_F(ThingGroupsTest, HierarchyIsDescribedFromTheRoot) {
  MakeGroup("root");
  MakeGroup("mid", "root");
  MakeGroup("leaf", "mid");
  auto leaf = *registry->thing_groups.Describe(ThingGroupName("leaf"));
  EXPECT_EQ(leaf.group.parent, "mid");
  EXPECT_EQ(leaf.root_to_parent, (std::vector{ThingGroupName("root"), ThingGroupName("mid")}));
  EXPECT_CODE(registry->thing_groups.Create("t", {ThingGroupName("x"), "nowhere", {}, {}, {}}), Code::kInvalidArgument);
  EXPECT_CODE(registry->thing_groups.Create("t", {ThingGroupName("leaf"), "root", {}, {}, {}}), Code::kAlreadyExists);
  EXPECT_OK(registry->thing_groups.Create("t", {ThingGroupName("leaf"), "mid", {}, {}, {}}));
}

TEST_F(ThingGroupsTest, DepthAndChildrenAreLimited) {
  MakeGroup("g1");
  for (int i = 2; i <= 7; ++i) MakeGroup("g" + std::to_string(i), "g" + std::to_string(i - 1));
  EXPECT_CODE(registry->thing_groups.Create("t", {ThingGroupName("g8"), "g7", {}, {}, {}}), Code::kInvalidArgument);
  MakeGroup("wide");
  for (int i = 0; i < 100; ++i) MakeGroup("c" + std::to_string(i), "wide");
  EXPECT_CODE(registry->thing_groups.Create("t", {ThingGroupName("c100"), "wide", {}, {}, {}}), Code::kInvalidArgument);
}

TEST_F(ThingGroupsTest, ListsByParentPrefixAndDepth) {
  MakeGroup("a");
  MakeGroup("ab", "a");
  MakeGroup("b", "ab");
  MakeGroup("c");
  EXPECT_EQ(Names({}), "a ab b c ");
  EXPECT_EQ(Names({}, 1), "a ab b c ");
  EXPECT_EQ(Names({.recursive = false}), "a c ");
  EXPECT_EQ(Names({.parent = "a"}), "ab ");
  EXPECT_EQ(Names({.parent = "a", .recursive = true}, 1), "ab b ");
  EXPECT_EQ(Names({.name_prefix = "a"}), "a ab ");
  EXPECT_CODE(registry->thing_groups.List({.parent = "nowhere"}, {}), Code::kNotFound);
}

TEST_F(ThingGroupsTest, DeleteLetsMembersGoButNotChildren) {
  MakeGroup("a");
  MakeGroup("b", "a");
  MakeThing("t");
  EXPECT_OK(Join("b", "t"));
  auto refused = registry->thing_groups.Delete("t", ThingGroupName("a"), std::nullopt);
  EXPECT_CODE(refused, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().message(),
            "Cannot delete thing group : a when there are still child groups attached to it");
  EXPECT_CODE(registry->thing_groups.Delete("t", ThingGroupName("b"), 5), Code::kVersionConflict);
  EXPECT_OK(registry->thing_groups.Delete("t", ThingGroupName("b"), 1));
  EXPECT_OK(registry->thing_groups.Delete("t", ThingGroupName("b"), std::nullopt));
  EXPECT_TRUE(registry->thing_groups.ListForThing(ThingName("t"), {})->items.empty());
  EXPECT_TRUE(directory.GroupsOf("t").empty());
  EXPECT_OK(registry->thing_groups.Delete("t", ThingGroupName("a"), std::nullopt));
}

TEST_F(ThingGroupsTest, MembershipFollowsTheRules) {
  MakeGroup("r");
  MakeGroup("r1", "r");
  MakeGroup("r2", "r");
  MakeThing("t");
  EXPECT_OK(Join("r1", "t"));
  EXPECT_OK(Join("r1", "t"));
  EXPECT_CODE(Join("r2", "t"), Code::kInvalidArgument);  // same hierarchy
  EXPECT_CODE(Join("r", "t"), Code::kInvalidArgument);
  EXPECT_CODE(Join("nowhere", "t"), Code::kNotFound);
  EXPECT_CODE(Join("r1", "nobody"), Code::kNotFound);
  // Out of one and into the other in one call.
  EXPECT_OK(registry->thing_groups.UpdateForThing("t", ThingName("t"), {"r2"}, {"r1"}));
  EXPECT_EQ(directory.GroupsOf("t"), (std::vector{ThingGroupName("r"), ThingGroupName("r2")}));
  for (int i = 0; i < 9; ++i) {
    MakeGroup("x" + std::to_string(i));
    EXPECT_OK(Join("x" + std::to_string(i), "t"));
  }
  MakeGroup("y");
  EXPECT_CODE(Join("y", "t"), Code::kInvalidArgument);  // the eleventh
  // All or nothing.
  EXPECT_CODE(registry->thing_groups.UpdateForThing("t", ThingName("t"), {"y", "nowhere"}, {"x0"}), Code::kNotFound);
  EXPECT_EQ(registry->thing_groups.ListForThing(ThingName("t"), {})->items.size(), 10u);
}

TEST_F(ThingGroupsTest, RecursiveMembersPageExactlyOnce) {
  MakeGroup("r");
  MakeGroup("r1", "r");
  MakeGroup("r11", "r1");
  MakeGroup("other");
  for (int i = 0; i < 12; ++i) MakeThing("t" + std::to_string(10 + i));
  for (int i = 0; i < 12; ++i) EXPECT_OK(Join(i % 3 == 0 ? "r" : i % 3 == 1 ? "r1" : "r11", "t" + std::to_string(10 + i)));
  EXPECT_EQ(Members("r", false), "t10 t13 t16 t19 ");
  for (std::size_t limit : {1, 3, 5, 100}) {
    EXPECT_EQ(Members("r", true, limit), "t10 t13 t16 t19 t11 t14 t17 t20 t12 t15 t18 t21 ") << limit;
  }
}

TEST_F(ThingGroupsTest, RecursivePagesGoOnWhereGroupsCameAndWent) {
  for (const char* group : {"a", "b", "c"}) {
    if (group[0] == 'a') MakeGroup("r");
    MakeGroup(group, "r");
    for (int i = 1; i <= 3; ++i) MakeGroup(group + std::to_string(i), group);
  }
  for (const char* group : {"a1", "a3", "b", "b2", "c3"}) {
    for (int i = 0; i < 2; ++i) {
      std::string thing = "in-" + std::string(group) + "-" + std::to_string(i);
      MakeThing(thing);
      EXPECT_OK(Join(group, thing));
    }
  }
  PageRequest members{.after = "", .limit = 3}, below{.after = "", .limit = 3};
  auto things = *registry->thing_groups.ListThings(ThingGroupName("r"), true, members);
  auto groups = *registry->thing_groups.List({.parent = "r", .recursive = true}, below);
  EXPECT_EQ(things.items.back().value(), "in-a3-0");
  EXPECT_EQ(groups.items.back().value(), "a2");
  // The groups at which the pages ended go, with all around them; others come before and behind.
  for (const char* group : {"a1", "a2", "a3", "a", "b1"}) {
    EXPECT_OK(registry->thing_groups.Delete("t", ThingGroupName(group), std::nullopt));
  }
  MakeGroup("a0", "r");
  MakeGroup("b9", "b");
  members = {.after = things.next, .limit = 100};
  below = {.after = groups.next, .limit = 100};
  things = *registry->thing_groups.ListThings(ThingGroupName("r"), true, members);
  groups = *registry->thing_groups.List({.parent = "r", .recursive = true}, below);
  std::string left, left_groups;
  for (const auto& name : things.items) left += name.value() + " ";
  for (const auto& name : groups.items) left_groups += name.value() + " ";
  EXPECT_EQ(left, "in-b-0 in-b-1 in-b2-0 in-b2-1 in-c3-0 in-c3-1 ");
  EXPECT_EQ(left_groups, "a0 b b2 b3 b9 c c1 c2 c3 ");
}

TEST_F(ThingGroupsTest, ARecursivePageReadsAPageNotTheSubtree) {
  MakeGroup("r");
  for (int i = 10; i < 50; ++i) {
    std::string child = "c" + std::to_string(i);
    MakeGroup(child, "r");
    for (int j = 10; j < 60; ++j) MakeGroup(child + "-" + std::to_string(j), child);
    MakeThing("t" + std::to_string(i));
    EXPECT_OK(Join(child + "-30", "t" + std::to_string(i)));
  }
  CountingStore counting(*control);
  Registry counted(Context{counting, clock, arns, quotas, hub, enforcement}, ca, keys);
  PageRequest request{.after = "", .limit = 10};
  std::size_t groups = 0, things = 0;
  do {
    counting.reads = 0;
    auto page = *counted.thing_groups.List({.parent = "r", .recursive = true}, request);
    groups += page.items.size();
    request.after = page.next;
    EXPECT_LE(counting.reads, 60U);
  } while (!request.after.empty());
  do {
    counting.reads = 0;
    auto page = *counted.thing_groups.ListThings(ThingGroupName("r"), true, request);
    things += page.items.size();
    request.after = page.next;
    EXPECT_LE(counting.reads, 2'500U);  // it may go through 500 groups, most of them empty
  } while (!request.after.empty());
  EXPECT_EQ(groups, 40U * 51U);
  EXPECT_EQ(things, 40U);
}

TEST_F(ThingGroupsTest, UpdateCountsVersions) {
  MakeGroup("g");
  ThingGroupName g("g");
  auto version = registry->thing_groups.Update("t", g, {.description = "text", .attributes = Attributes{{"k", "v"}}});
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(*version, 2);
  EXPECT_CODE(registry->thing_groups.Update("t", g, {.expected_version = 1}), Code::kVersionConflict);
  EXPECT_EQ(registry->thing_groups.Describe(g)->group.description, "text");
}

// Property: under random operations the registry, the directory and a plain model agree, and no thing is ever in two
// groups of one hierarchy.
TEST_F(ThingGroupsTest, RandomHierarchiesAgreeWithAPlainModel) {
  std::mt19937 random(7);
  std::map<std::string, std::string> parent;
  std::map<std::string, std::set<std::string>> groups_of;
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto root = [&](std::string group) {
    while (!parent[group].empty()) group = parent[group];
    return group;
  };
  for (int i = 0; i < 12; ++i) {
    MakeThing("t" + std::to_string(i));
    groups_of["t" + std::to_string(i)];
  }
  for (int step = 0; step < 1500; ++step) {
    std::string group = "g" + std::to_string(pick(20)), other = "g" + std::to_string(pick(20));
    std::string thing = "t" + std::to_string(pick(12));
    int what = pick(10);
    if (what < 3) {
      if (parent.contains(group)) continue;
      std::string under = parent.contains(other) && pick(3) ? other : "";
      if (registry->thing_groups.Create("t", {ThingGroupName(group), under, {}, {}, {}}).ok()) parent[group] = under;
    } else if (what < 4) {
      bool leaf = std::none_of(parent.begin(), parent.end(), [&](auto& entry) { return entry.second == group; });
      bool deleted = registry->thing_groups.Delete("t", ThingGroupName(group), std::nullopt).ok();
      EXPECT_EQ(deleted, leaf || !parent.contains(group));
      if (!deleted) continue;
      parent.erase(group);
      for (auto& entry : groups_of) entry.second.erase(group);
    } else if (what < 8) {
      bool legal = parent.contains(group);
      bool present = groups_of[thing].contains(group);
      if (legal && !present) {
        legal = groups_of[thing].size() < 10;
        for (const auto& joined : groups_of[thing]) legal = legal && root(joined) != root(group);
      }
      EXPECT_EQ(Join(group, thing).ok(), legal);
      if (legal) groups_of[thing].insert(group);
    } else {
      bool removed = registry->thing_groups.RemoveThing("t", ThingGroupName(group), ThingName(thing)).ok();
      EXPECT_EQ(removed, parent.contains(group));
      groups_of[thing].erase(group);
    }
  }
  Directory reloaded{model::AccountId(kAccount)};
  EXPECT_OK(reloaded.Load(*control));
  for (const auto& [thing, groups] : groups_of) {
    std::set<std::string> closure;
    for (std::string group : groups) {
      for (; !group.empty(); group = parent[group]) closure.insert(group);
    }
    std::vector<ThingGroupName> expected;
    for (const auto& name : closure) expected.emplace_back(name);
    EXPECT_EQ(directory.GroupsOf(thing), expected) << thing;
    EXPECT_EQ(reloaded.GroupsOf(thing), expected) << thing;
  }
}

TEST_F(ThingGroupsTest, ALargeGroupIsDeletedInSteps) {
  MakeGroup("big");
  for (int i = 0; i < 1200; ++i) {
    std::string name = "t" + std::to_string(i);
    MakeThing(name);
    EXPECT_OK(Join("big", name));
  }
  recorder.seen.clear();
  EXPECT_OK(registry->thing_groups.Delete("test", model::ThingGroupName("big"), 1));
  EXPECT_EQ(recorder.seen.size(), 1201U);
  EXPECT_TRUE(std::holds_alternative<ThingGroupChanged>(recorder.seen.back()));
  EXPECT_TRUE(registry->thing_groups.ListForThing(model::ThingName("t7"), {})->items.empty());
  EXPECT_CODE(registry->thing_groups.Describe(model::ThingGroupName("big")), Code::kNotFound);
}

TEST_F(ThingGroupsTest, ChildrenPageByNameWithAPrefix) {
  MakeGroup("root");
  for (int i = 0; i < 9; ++i) MakeGroup("c" + std::to_string(i), "root");
  MakeGroup("d0", "root");
  std::vector<std::string> seen;
  PageRequest page{{}, 2, false};
  do {
    auto got = registry->thing_groups.List({"root", "c", false}, page);
    ASSERT_TRUE(got.ok());
    for (const auto& name : got->items) seen.push_back(name.value());
    page.after = got->next;
  } while (!page.after.empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"}));
}

}  // namespace
}  // namespace fleetward::registry
