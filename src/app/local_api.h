// The server's own endpoints below /fleetward/v1/ (D40): what the command line and, later, the console ask.
#pragma once

#include <string>

#include "fleetward/alarms/alarm_query.h"
#include "fleetward/api/core/router.h"
#include "fleetward/base/clock.h"
#include "fleetward/ingest/pipeline.h"
#include "fleetward/notify/outbox.h"
#include "fleetward/notify/signer.h"
#include "fleetward/registry/import.h"
#include "fleetward/registry/provision.h"
#include "fleetward/registry/registry.h"

namespace fleetward::app {

/// All outlive the router.
struct LocalApiParts {
  ingest::Pipeline& pipeline;
  notify::Outbox& outbox;
  registry::Registry& registry;
  registry::Importer& importer;
  notify::MessageSigner& signer;
  const alarms::AlarmQuery& alarms;
  const Clock& clock;
  bool mails_are_sent = false;   // notify.smtp.url is set
  Timestamp started{};
};

/// GET status, things/{name}, why/{name}?behavior=, metrics/{name}?metric=&seconds=&dimension=&operator=,
/// connections?seconds=, connections/{name}?seconds=, mails, dead-letters; POST provision/{name}, import; unsigned: the
/// certificates that messages are signed with.
void RegisterLocalApi(api::Router& router, const LocalApiParts& parts);

}  // namespace fleetward::app
