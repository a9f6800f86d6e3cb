# make run    sets up what is missing, then starts a server and two clients
# make test   sets up what is missing, then checks everything
# make package        builds .deb and .tar.xz of the client and of the server into target/package/, and checks them
# make package-check  installs, starts, upgrades and purges these on a Debian 12 of its own; needs root and takes minutes
# make windows        checks that the client compiles for Windows, which is all that is known of it there
# make bench  sets up what is missing, then compares the server with bare pipelines; RUNS=5, CLIP=a film of yours
# make attack sets up what is missing, then attacks a server on this machine, and prints what honest people noticed
# make audit  checks the dependencies: advisories, licences, bans, sources; needs cargo-deny and a connection
.PHONY: run test package package-check windows bench attack audit

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
	scripts/package_files.sh target/package/checked
	scripts/package_lint.sh target/package/checked

package:
	scripts/package.sh

package-check: package
	scripts/package_check.sh

windows:
	scripts/setup.sh windows
	rustup target add x86_64-pc-windows-gnu
	cargo check --locked -p gui-client --bins --target x86_64-pc-windows-gnu

bench:
	scripts/bench.sh

attack:
	scripts/attack.sh

audit:
	@command -v cargo-deny >/dev/null || { \
		echo "make audit needs cargo-deny. Install it and try again: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --locked check
