"""Where the programs under test are: FLEETWARD_BUILD names the build folder (ctest sets it)."""
import os

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("FLEETWARD_BUILD", os.path.join(ROOT, "build", "release")))
FLEETWARD = os.path.join(BUILD, "bin", "fleetward")
AGENT = os.path.join(BUILD, "bin", "fleetward-agent")
TLS_LOAD = os.path.join(BUILD, "bin", "tls_load")
REPORTS = os.path.join(ROOT, "tests", "data", "reports")
