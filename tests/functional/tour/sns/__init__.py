"""The tour of sns; a module's form is described in the package above."""
