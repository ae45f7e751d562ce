// node tour.mjs TOUR.json: runs the tour that tests/functional/tour describes by the SDK of the service it names, and
// prints {"seen": {operation: [outcomes]}, "faults": [texts]}. TOUR.json: {service, endpoint, region, credentials,
// variables, steps}; NODE_EXTRA_CA_CERTS names the server's CA. The meaning of a step: tour/__init__.py, tour/_run.py.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const tour = JSON.parse(readFileSync(process.argv[2], "utf8"));
const sdk = await import(`@aws-sdk/client-${tour.service}`);
const Client = { iot: sdk.IoTClient, sns: sdk.SNSClient }[tour.service];
const client = new Client({
  endpoint: tour.endpoint, region: tour.region, credentials: tour.credentials, maxAttempts: 1,
});
const variables = { ...tour.variables };

// Points in time are seconds in the tour, and dates for the SDK.
const moment = (key, value) => (["startTime", "endTime"].includes(key) ? new Date(value * 1000) : value);

function fill(value) {
  if (typeof value === "string") return value.replace(/<<(\w+)>>/g, (_, name) => {
    if (!(name in variables)) throw new Error(`no variable ${name}`);
    return variables[name];
  });
  if (Array.isArray(value)) return value.map(fill);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [fill(key), moment(key, fill(item))]));
  }
  return value;
}

const lookUp = (answer, path) => path.split(".").reduce((at, part) => (at === undefined || at === null ? undefined : at[part]), answer);

// Members that the SDK leaves undefined are absent; the order of members does not count.
function same(found, wanted) {
  if (found === null || typeof found !== "object" || wanted === null || typeof wanted !== "object") return found === wanted;
  if (Array.isArray(found) !== Array.isArray(wanted)) return false;
  const keys = Object.keys(found).filter((key) => found[key] !== undefined);
  return keys.length === Object.keys(wanted).length && keys.every((key) => key in wanted && same(found[key], wanted[key]));
}

function matches(found, wanted) {
  if (wanted !== null && typeof wanted === "object" && !Array.isArray(wanted)) {
    if (wanted.is === "present") return found !== undefined && found !== null;
    if (wanted.is === "absent") return found === undefined || found === null;
    if ("has" in wanted) {
      return typeof found === "string" ? found.includes(wanted.has) : Array.isArray(found) && found.some((item) => same(item, wanted.has));
    }
    if ("count" in wanted) return Array.isArray(found) && found.length === wanted.count;
  }
  return same(found, wanted);
}

function check(step, answer) {
  for (const [path, wanted] of Object.entries(fill(step.expect))) {
    const found = lookUp(answer, path);
    if (!matches(found, wanted)) throw new Error(`${path} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
  for (const [name, path] of Object.entries(step.save)) variables[name] = lookUp(answer, path);
}

async function one(step) {
  if (!step.operation) return check(step, JSON.parse(readFileSync(fill(step.file), "utf8")));
  const Command = sdk[`${step.operation}Command`];
  if (!Command) throw new Error("the SDK has no such command");
  let answer;
  try {
    answer = await client.send(new Command(fill(step.parameters)));
  } catch (error) {
    if (!error.$metadata || error.name !== step.error || !error.message.includes(fill(step.says))) {
      throw new Error(`${error.name}: ${error.message}, not ${step.error ?? "success"} ${step.says}`);
    }
    return error.name;
  }
  if (step.error) throw new Error(`succeeded, not ${step.error}`);
  delete answer.$metadata;
  check(step, answer);
  return "ok";
}

const seen = {}, faults = [];
for (const step of tour.steps) {
  const deadline = Date.now() + step.within * 1000;
  for (;;) {
    try {
      const outcome = await one(step);
      if (step.operation) seen[step.operation] = [...new Set([...(seen[step.operation] ?? []), outcome])];
      break;
    } catch (error) {
      if (Date.now() > deadline) {
        faults.push(`${step.name}: ${error.message}`);
        break;
      }
      await setTimeout(100);
    }
  }
}
console.log(JSON.stringify({ seen, faults }));
