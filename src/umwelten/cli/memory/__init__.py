"""`umwelten memory`: facts that are learnt from inputs and answers, and recalled into prompts."""
