//! What is said to a host, and what its answers mean: pure, without a connection.
