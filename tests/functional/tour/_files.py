"""Keys, requests and certificates made with the openssl program."""
import subprocess


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def request(folder, name, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A signing request as PEM text; its key is in NAME.key."""
    openssl(folder, "req", "-new", "-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN={name}")
    return (folder / f"{name}.csr").read_text()


def self_signed(folder, name, days="3650", key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A self-signed certificate as PEM text."""
    openssl(folder, "req", "-x509", "-new", "-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-subj", f"/CN={name}", "-days", days)
    return (folder / f"{name}.pem").read_text()
