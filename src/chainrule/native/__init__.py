"""Native code for Programs: loop nests and matrix products as LLVM IR, the functions they need, and what runs them."""
