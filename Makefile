# make run    sets up what is missing, then starts a server and two clients
# make test   sets up what is missing, then checks everything
# make bench  sets up what is missing, then measures the server beside bare pipelines; RUNS=5, CLIP=a film of yours
.PHONY: run test bench

run:
	scripts/setup.sh run
	# One by one: together, the client's features would reach the server, which must not be able to open messages.
	cargo build --release -p server --bins
	cargo build --release -p gui-client --bins
	scripts/run.sh

test:
	scripts/setup.sh test
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	cargo test --workspace --all-features

bench:
	scripts/bench.sh
