// The names of the domain, as types. Spelling follows the API.
#pragma once

#include "fleetward/base/id128.h"
#include "fleetward/base/named.h"

namespace fleetward::model {

using AccountId = Named<struct AccountIdTag>;                      // 12 digits
using ThingName = Named<struct ThingNameTag>;                      // 1-128; unregistered ones have no pattern
using ThingGroupName = Named<struct ThingGroupNameTag>;
using SecurityProfileName = Named<struct SecurityProfileNameTag>;
using BehaviorName = Named<struct BehaviorNameTag>;
using PolicyName = Named<struct PolicyNameTag>;
using CustomMetricName = Named<struct CustomMetricNameTag>;
using DimensionName = Named<struct DimensionNameTag>;
using ClientId = Named<struct ClientIdTag>;                        // MQTT client identifier
using CertificateId = Named<struct CertificateIdTag>;              // SHA-256 of the DER form, 64 lower-case hex
using Arn = Named<struct ArnTag>;

/// Key of everything remembered about a thing (D9): the thingId of a registered thing, or for an unregistered one
/// the first 128 bits of SHA-256 over "unregistered\0" + account + "\0" + name. A new thing of an old name
/// therefore inherits nothing.
using EntityId = Id128;

}  // namespace fleetward::model
