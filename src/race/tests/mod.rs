//! The race on virtual time, one behaviour a file.
