"""SIGKILL of server, broker, agent and supervisor at random moments under load (D10, D14, D23, D44). The seed is printed;
FLEETWARD_CHAOS_SEED repeats a run, FLEETWARD_CHAOS_KILLS changes their number."""
import collections
import os
import random
import signal
import threading
import time

from load import Fleet, Reporter, events, expected_transitions
from support import mail as mails
from support.processes import listeners, wait_for

KILLS = int(os.environ.get("FLEETWARD_CHAOS_KILLS", "52"))
PARTS = ["server"] * 4 + ["broker"] * 3 + ["agent"] * 1 + ["supervisor"] * 2


class Watcher:
    """Looks all the time: who listens on the ports, which brokers there are, which events the API has shown."""

    def __init__(self, fw, start):
        self.fw, self.start = fw, start
        self.seen, self.faults, self.looks = {}, [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=run) for run in (self._ports, self._events)]
        for thread in self.threads:
            thread.start()

    def _ports(self):
        while not self.stopping.wait(0.1):
            mqtt, api = listeners(self.fw.mqtt_port), listeners(self.fw.api_port)
            if len(mqtt) > 1 or len(api) > 1 or mqtt & api:
                self.faults.append(f"listeners: mqtt {mqtt}, api {api}")
            self.looks += 1

    def _events(self):
        while not self.stopping.wait(1.0):
            try:
                for event in events(self.fw, self.start):
                    self.seen[(event["violationId"], event["violationEventType"])] = event
            except Exception:
                continue  # the API is away for moments

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def serves(fw):
    try:
        fw.iot.list_things(maxResults=1)
        return True
    except Exception:
        return False


def kill_supervisor(fw, rng):
    """SIGKILL of `up`, and the same command again, at once or a moment later; it serves within 60 s."""
    fw.signal("supervisor", signal.SIGKILL)
    fw.process.wait()
    time.sleep(rng.choice([0, 0, 0.2, 1.0]))
    began = time.monotonic()
    fw.launch()
    fw.wait_ready(60)
    return time.monotonic() - began


def healed(fw, part, old):
    """How long until another one of this part serves."""
    began = time.monotonic()
    wait_for(lambda: fw.living(part) not in (None, old), 30, f"another {part}")
    wait_for(lambda: serves(fw) if part == "server" else listeners(fw.mqtt_port), 30 - (time.monotonic() - began),
             f"the {part} to serve")
    return time.monotonic() - began


def test_fifty_kills_under_load(make, mail):
    seed = int(os.environ.get("FLEETWARD_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    fw = make({"notify.smtp.url": mail.url})
    start = time.time()
    topic = fw.sns.create_topic(Name="alerts")["TopicArn"]
    fw.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.org")
    link = next(part for part in mails.links(mail.wait(1)[0]) if "ConfirmSubscription" in part)
    confirm(fw, link)
    fleet = Fleet(fw, 20, topic)
    agents = [fw.agent(fw.thing(f"real-{i}"), f"real-{i}", "-i", "1") for i in range(2)]
    watcher = Watcher(fw, start)
    kills, longest = collections.Counter(), collections.Counter()
    try:
        wait_for(lambda: fleet.total() > 40, 30, "reports")
        while sum(kills.values()) < KILLS:
            time.sleep(rng.uniform(0.05, 1.5))
            part = rng.choice(PARTS)
            took = 0.0
            if part == "agent":
                agent = rng.choice(agents)
                agent.kill()
                agent.start()
            elif part == "supervisor":
                took = kill_supervisor(fw, rng)
            else:
                old = fw.living(part)
                if old is None:
                    continue
                os.kill(old, signal.SIGKILL)
                # Sometimes the next kill falls into the recovery.
                if rng.random() < 0.7:
                    took = healed(fw, part, old)
            kills[part] += 1
            longest[part] = max(longest[part], round(took, 1))
        fw.wait_ready(60)
        before = fleet.total()
        wait_for(lambda: fleet.total() > before + 20, 30, "reports after the last kill")
        fleet.pause()
    finally:
        watcher.stop()
        fleet.stop()
    print(f"kills {dict(kills)}, longest recovery {dict(longest)}, accepted {fleet.total()}, looks {watcher.looks}")
    assert not watcher.faults, watcher.faults[:5]
    assert fw.brokers() == [fw.pid("broker")]
    check_all(fw, fleet, watcher, mail, start)
    for agent in agents:
        assert agent.log().count("agent.report_accepted") > 5
        agent.stop()
    fw.stop()


def confirm(fw, link):
    import ssl
    import urllib.request
    urllib.request.urlopen(link, context=ssl.create_default_context(cafile=fw.ca), timeout=10).close()


def check_all(fw, fleet, watcher, mail, start):
    fleet.check_stored(start)
    wanted = {r.name: expected_transitions(range(1, r.sent + 1)) for r in fleet.reporters}

    def found():
        count = {r.name: [0, 0] for r in fleet.reporters}
        for event in events(fw, start):
            if event["thingName"] in count and event["violationEventType"] in ("in-alarm", "alarm-cleared"):
                count[event["thingName"]][event["violationEventType"] == "alarm-cleared"] += 1
        return {name: tuple(pair) for name, pair in count.items()}

    wait_for(lambda: sum(sum(p) for p in found().values()) >= sum(sum(p) for p in wanted.values()), 15,
             "every transition's event")
    assert found() == wanted
    final = events(fw, start)
    keys = [(e["violationId"], e["violationEventType"]) for e in final]
    assert len(keys) == len(set(keys)), "an event twice"
    assert set(watcher.seen) <= set(keys), f"lost: {set(watcher.seen) - set(keys)}"
    check_mails(mail, set(keys))


def check_mails(mail, events_there):
    """One mail a transition; a repetition carries the same Message-ID (D23)."""
    def mailed():
        by_event = collections.defaultdict(set)
        for message in mail.all():
            if mails.body(message).startswith("{"):
                alarm = mails.alarm_json(message)
                by_event[(alarm["violationId"], alarm["violationEventType"])].add(message["Message-ID"])
        return by_event
    wait_for(lambda: set(mailed()) >= events_there, 90, "a mail for each transition")
    assert set(mailed()) == events_there
    doubled = {event: ids for event, ids in mailed().items() if len(ids) != 1}
    assert not doubled, f"two different mails of one transition: {doubled}"
