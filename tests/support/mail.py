"""A real SMTP server (aiosmtpd) on loopback that keeps what it gets and fails on demand."""
import asyncio
import email
import email.policy
import json
import re
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from support.processes import free_port, wait_for


class MailSink:
    """failure: None; "4xx" or "5xx" answer RCPT or DATA so; "hang" never answers DATA; "drop" takes the message and
    closes the connection before its 250 could be read; `times` says for how many messages."""

    def __init__(self, tls=None, login=None, implicit=False):
        """tls: (certificate file, key file) offers STARTTLS and demands it, or with `implicit` speaks TLS from the first
        byte; login: (user, password) demands AUTH."""
        self.mails = []       # parsed messages, in order
        self.envelopes = []   # (from, to)
        self.sessions = []    # dicts: tls, user
        self.failure, self.times, self.failed = None, 0, 0
        self.lock = threading.Lock()
        self.login = login
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
        self.context, self.implicit = context, implicit
        self.port = free_port()
        sink = self

        class Sink(Controller):
            def factory(self):
                return SMTP(self.handler, hostname="sink", tls_context=None if implicit else sink.context,
                            require_starttls=bool(sink.context) and not implicit, auth_required=bool(sink.login), auth_require_tls=bool(sink.context),
                            authenticator=sink._authenticate if sink.login else None, enable_SMTPUTF8=False)

        self.controller = Sink(self, hostname="127.0.0.1", port=self.port, ssl_context=context if implicit else None)
        self.controller.start()

    @property
    def url(self):
        if self.implicit:
            return f"smtps://127.0.0.1:{self.port}"
        return f"smtp://127.0.0.1:{self.port}" + ("?tls=required" if self.context else "?tls=none")

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=good, auth_data=data.login if good else None)

    def fail(self, failure, times=1):
        with self.lock:
            self.failure, self.times = failure, times

    def _next_failure(self):
        with self.lock:
            if self.failure and self.times > 0:
                self.times -= 1
                self.failed += 1
                return self.failure
            return None

    async def handle_DATA(self, server, session, envelope):
        failure = self._next_failure()
        if failure == "4xx":
            return "451 try again"
        if failure == "5xx":
            return "554 never"
        if failure == "hang":
            await asyncio.sleep(3600)
        self._keep(session, envelope)
        if failure == "drop":
            server.transport.abort()
        return "250 taken"

    def _keep(self, session, envelope):
        message = email.message_from_bytes(envelope.original_content or envelope.content, policy=email.policy.default)
        with self.lock:
            self.mails.append(message)
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
            self.sessions.append({"tls": session.ssl is not None, "user": session.auth_data})

    def all(self):
        with self.lock:
            return list(self.mails)

    def wait(self, count, seconds=30):
        wait_for(lambda: len(self.all()) >= count, seconds, f"{count} mails, {len(self.all())} came")
        return self.all()

    def stop(self):
        self.controller.stop()


def body(message):
    return message.get_content()


def links(message):
    return re.findall(r"https?://[^\s<>\"]+", body(message))


def alarm_json(message):
    """The first line of an alarm mail is the message JSON as it is (D35)."""
    return json.loads(body(message).split("\n")[0])


def alarms(messages):
    """The alarm mails among the messages, decoded."""
    return [alarm_json(m) for m in messages if body(m).startswith("{")]
