"""Where an agency's money is, and how much access there is for it (F56, N10). Amounts of different currencies never meet."""
