//! Nights that once were bad, each shrunk to what it takes.
