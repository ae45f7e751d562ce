"""Operators' own CAs and device certificates, by the openssl program."""
import datetime
import os
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.fleetward import Certificate
from support.plain_broker import openssl

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class OwnCa:
    """A CA in `folder`; `parent` makes it an intermediate one. `extensions`: lines "name=value" of its certificate."""

    def __init__(self, folder, name="own ca", parent=None, days="30", key=None, extensions=()):
        self.base = os.path.join(str(folder), "ca-" + uuid.uuid4().hex[:8])
        self.key = key or self.base + ".key"
        self.parent = parent
        source = ("-new", "-key", key) if key else (*EC, "-keyout", self.key)
        if parent is None:
            openssl("req", "-x509", *source, "-days", days, "-subj", f"/CN={name}", "-out", self.base + ".pem",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign", *(part for line in extensions for part in ("-addext", line)))
        else:
            openssl("req", *source, "-subj", f"/CN={name}", "-out", self.base + ".csr")
            parent.sign(self.base + ".csr", self.base + ".pem",
                        "\n".join(["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", *extensions]),
                        days)
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

    def issue_until(self, end, subject="/CN=brief"):
        """A device's certificate that ends at that second of Unix time; the openssl program counts in days."""
        key = ec.generate_private_key(ec.SECP256R1())
        with open(self.base + ".pem", "rb") as file, open(self.key, "rb") as key_file:
            ca = x509.load_pem_x509_certificate(file.read())
            ca_key = serialization.load_pem_private_key(key_file.read(), None)
        until = datetime.datetime.utcfromtimestamp(end)
        made = (x509.CertificateBuilder().issuer_name(ca.subject).public_key(key.public_key())
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.removeprefix("/CN="))]))
                .serial_number(x509.random_serial_number()).not_valid_after(until)
                .not_valid_before(until - datetime.timedelta(days=1))
                .add_extension(x509.BasicConstraints(False, None), True).sign(ca_key, hashes.SHA256()))
        base = os.path.join(os.path.dirname(self.base), uuid.uuid4().hex)
        device = Certificate(base + ".pem", base + ".key")
        device.text = made.public_bytes(serialization.Encoding.PEM).decode()
        with open(device.pem, "w") as file:
            file.write(device.text)
        with open(device.key, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        return device

    def verification(self, code):
        return self.issue(f"/CN={code}").text

    def register(self, fw, active=True, automatic=False, **more):
        """Registers it as its owner does; the id."""
        code = fw.iot.get_registration_code()["registrationCode"]
        self.id = fw.iot.register_ca_certificate(
            caCertificate=self.pem, verificationCertificate=self.verification(code), setAsActive=active,
            allowAutoRegistration=automatic, **more)["certificateId"]
        return self.id
