//! The training room.
