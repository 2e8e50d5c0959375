"""Which arguments stand when some attack others: abstract argumentation in the sense of Dung."""
