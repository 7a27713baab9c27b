"""How anything is measured: in processes of its own, by turns, in rounds."""
