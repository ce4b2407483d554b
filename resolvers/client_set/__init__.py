"""Permission sets of the clients' own: their people make and edit them, and an edit reaches everybody who was given them (F49)."""
