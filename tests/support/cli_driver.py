"""The code behind /usr/bin/aws as a server: each line of standard input is a JSON list of arguments, each line of output
{"status", "out", "err"}. A process of its own, because aws-cli brings a botocore that takes the place of the system's."""
import contextlib
import io
import json
import sys

import awscli.clidriver


def main():
    driver = awscli.clidriver.create_clidriver()
    answers = sys.stdout
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = driver.main(json.loads(line))
        answers.write(json.dumps({"status": status, "out": out.getvalue(), "err": err.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
