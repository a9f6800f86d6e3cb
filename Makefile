# make run    sets up what is missing, then starts a server and two clients
# make test   sets up what is missing, then checks everything
# make bench  sets up what is missing, then compares the server with bare pipelines; RUNS=5, CLIP=a film of yours
# make attack sets up what is missing, then attacks a server on this machine, and prints what honest people noticed
# make audit  checks the dependencies: advisories, licences, bans, sources; needs cargo-deny and a connection
.PHONY: run test bench attack audit

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
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --document-private-items
	# Without the examples, which clippy has checked.
	cargo test --workspace --all-features --tests

bench:
	scripts/bench.sh

attack:
	scripts/attack.sh

audit:
	@command -v cargo-deny >/dev/null || { \
		echo "make audit needs cargo-deny. Install it and try again: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check
