"""Operators' own CAs and device certificates, by the openssl program."""
import os
import uuid

from support.fleetward import Certificate
from support.plain_broker import openssl

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class OwnCa:
    """A CA in `folder`; `parent` makes it an intermediate one."""

    def __init__(self, folder, name="own ca", parent=None, days="30", key=None):
        self.base = os.path.join(str(folder), "ca-" + uuid.uuid4().hex[:8])
        self.key = key or self.base + ".key"
        self.parent = parent
        source = ("-new", "-key", key) if key else (*EC, "-keyout", self.key)
        if parent is None:
            openssl("req", "-x509", *source, "-days", days, "-subj", f"/CN={name}", "-out", self.base + ".pem",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        else:
            openssl("req", *source, "-subj", f"/CN={name}", "-out", self.base + ".csr")
            parent.sign(self.base + ".csr", self.base + ".pem",
                        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n", days)
        with open(self.base + ".pem") as file:
            self.pem = file.read()

    def sign(self, csr, out, extensions, days="30"):
        with open(out + ".ext", "w") as file:
            file.write(extensions)
        openssl("x509", "-req", "-in", csr, "-CA", self.base + ".pem", "-CAkey", self.key, "-days", days,
                "-set_serial", str(uuid.uuid4().int >> 1), "-extfile", out + ".ext", "-out", out)

    def issue(self, subject="/CN=device", extensions="", days="30", key_options=EC, chain=False):
        """A device's certificate; `chain`: its file holds the CA's too, as many devices send it."""
        base = os.path.join(os.path.dirname(self.base), uuid.uuid4().hex)
        openssl("req", *key_options, "-subj", subject, "-keyout", base + ".key", "-out", base + ".csr", "-utf8",
                "-multivalue-rdn")
        self.sign(base + ".csr", base + ".pem", "basicConstraints=CA:FALSE\n" + extensions, days)
        made = Certificate(base + ".pem", base + ".key")
        with open(made.pem) as file:
            made.text = file.read()
        if chain:
            with open(made.pem, "a") as file:
                file.write(self.pem)
        return made

    def verification(self, code):
        return self.issue(f"/CN={code}").text

    def register(self, fw, active=True, automatic=False, **more):
        """Registers it as its owner does; the id."""
        code = fw.iot.get_registration_code()["registrationCode"]
        self.id = fw.iot.register_ca_certificate(
            caCertificate=self.pem, verificationCertificate=self.verification(code), setAsActive=active,
            allowAutoRegistration=automatic, **more)["certificateId"]
        return self.id
