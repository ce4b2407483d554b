"""The one way in which grants are written: targets → cells → situations → decide → guards → write → record."""
