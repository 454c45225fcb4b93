//! Runnable examples: see the files in this folder.
