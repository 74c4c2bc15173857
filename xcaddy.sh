#!/usr/bin/env bash
# Builds, starts and tests Faregate. Needs Go; everything else is fetched.
#
#   ./xcaddy.sh               builds ./caddy with this plugin in it
#   ./xcaddy.sh run           starts a demo on loopback: no provider key needed (run --help says more)
#   ./xcaddy.sh test          installs what the tests need, then runs every check
#   ./xcaddy.sh test-tools    calls the gateway by codex, claude, gemini and opencode, which it installs (1.1 GB)
#   ./xcaddy.sh bench         measures the gateway beside bare Caddy (bench --help says more)
#
# GOFLAGS, GOPROXY and the like are respected. To change a version, change it
# here and run the script: it moves internal/tools/build/go.mod along.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")"

CADDY_VERSION=v2.11.9
XCADDY_VERSION=v0.4.5
GOLANGCI_LINT_VERSION=v2.15.0
NODE_MINIMUM=18 # the oldest that the pinned SDKs were seen to work with; Debian 12 has it

MODULE=github.com/faregate/faregate
CADDYFILES=(Caddyfile.example docs/*.Caddyfile)

say() { printf '\n── %s\n' "$*"; }
fail() { printf 'xcaddy.sh: %s\n' "$*" >&2; exit 1; }

# tool builds a command at its pinned version and prints its path. The tools
# have a go.mod of their own, so that they are checked against its go.sum and
# stay out of the dependencies of whoever uses the plugin.
tool() { # module version package
	local module=$1 version=$2 package=$3 home=internal/tools/build path
	path=$PWD/.build/$(basename "$package")-$version
	if [[ ! -x $path ]]; then
		if [[ $(go list -C "$home" -m -f '{{.Version}}' "$module") != "$version" ]]; then
			go get -C "$home" -tool "$package@$version" >&2
		fi
		go build -C "$home" -trimpath -buildvcs=false -o "$path" "$package" >&2
	fi
	echo "$path"
}

build() {
	say "building ./caddy: Caddy $CADDY_VERSION with this checkout (a first build takes some minutes)"
	mkdir -p .build
	local xcaddy started=$SECONDS
	xcaddy=$(tool github.com/caddyserver/xcaddy "$XCADDY_VERSION" github.com/caddyserver/xcaddy/cmd/xcaddy)
	# A version is named because without one xcaddy asks the module proxy for a list.
	"$xcaddy" build "$CADDY_VERSION" --with "$MODULE@v0.0.0=$PWD" --output ./caddy >.build/xcaddy.log 2>&1 ||
		{ tail -n 40 .build/xcaddy.log >&2; fail "the build failed; .build/xcaddy.log has all of it"; }
	fingerprint >.build/fingerprint
	echo "built in $((SECONDS - started)) s"
}

# fingerprint identifies all that ./caddy is made of, and ./caddy itself.
fingerprint() {
	{
		go env GOVERSION GOOS GOARCH
		find faregate.go go.mod go.sum xcaddy.sh caddy auth caddymodule metering internal \
			\( -path internal/e2e -o -path internal/bench -o -path internal/demo -o -path internal/tools -o -name testdata \) -prune -o \
			-type f ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
	} | sha256sum
}

build_if_changed() {
	[[ -x caddy && $(fingerprint) == $(cat .build/fingerprint 2>/dev/null) ]] || build
}

run() {
	build_if_changed
	go build -buildvcs=false -o .build/demo ./internal/demo
	exec .build/demo "$@"
}

bench() {
	build_if_changed
	go build -buildvcs=false -o .build/bench ./internal/bench
	exec .build/bench "$@"
}

install_for_tests() {
	local packages=() node
	command -v gcc >/dev/null || packages+=(gcc libc6-dev) # Go's race detector links with it
	command -v node >/dev/null || packages+=(nodejs)       # the providers' own SDKs are the end-to-end clients
	command -v npm >/dev/null || packages+=(npm)           # installs those SDKs
	command -v curl >/dev/null || packages+=(curl)         # a client of docs/clients.md
	# the store's tests start a server of their own; Debian keeps its programs out of the path
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || packages+=(postgresql)
	if ((${#packages[@]})); then
		say "missing for the tests: ${packages[*]} (gcc for the race detector, node and npm for the official SDKs, postgresql for the store)"
		command -v apt-get >/dev/null || fail "install them with this system's package manager, then run this again"
		((EUID == 0)) || fail "run this, then try again: sudo apt-get install --no-install-recommends ${packages[*]}"
		mkdir -p .build
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } >.build/apt.log 2>&1 ||
			{ tail -n 20 .build/apt.log >&2; fail "apt-get failed; .build/apt.log has all of it"; }
	fi
	node=$(node --version)
	node=${node#v}
	((${node%%.*} >= NODE_MINIMUM)) || fail "node $node is too old for the official SDKs; $NODE_MINIMUM or newer is needed"

	npm_packages internal/e2e "the official SDKs and the AI SDK" ci
}

# npm_packages installs what a lock file pins. node_modules keeps a copy of the
# lock file that it was installed from.
npm_packages() { # directory description command
	cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock" && return
	say "npm: $2 at their pinned versions, into $1/node_modules"
	# shellcheck disable=SC2086 # the command may have an option
	(cd "$1" && npm $3 --ignore-scripts --no-audit --no-fund --loglevel=error)
	cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
}

# test_tools runs the command-line tools of docs/clients.md against ./caddy.
test_tools() {
	local home=internal/e2e/tools
	install_for_tests
	# Not ci, which wants opencode's programs for all other systems in the lock file.
	npm_packages "$home" "the command-line tools" "install --no-save"
	# Their programs came with the packages; these scripts only put them in place.
	(cd "$home/node_modules/@anthropic-ai/claude-code" && node install.cjs)
	(cd "$home/node_modules/opencode-ai" && node postinstall.mjs)
	build_if_changed
	say "codex, claude, gemini and opencode"
	go test -count=1 -v -run '^TestCommandLineTools$' ./internal/e2e -tools
}

# same_versions proves that xcaddy put the versions of go.mod into ./caddy.
same_versions() {
	local differing
	differing=$(comm -23 \
		<(go version -m ./caddy | awk -v own="$MODULE" '$1 == "dep" && $2 != own { print $2, $3 }' | sort) \
		<(go list -m -f '{{.Path}} {{.Version}}' all | sort))
	[[ -z $differing ]] || fail "./caddy holds other versions than go.mod says: $differing"
}

check() {
	install_for_tests
	mkdir -p .build
	say "gofmt"
	local unformatted caddyfile
	unformatted=$(gofmt -l auth caddymodule internal metering ./*.go)
	[[ -z $unformatted ]] || fail "not gofmt-formatted: $unformatted"
	say "go mod tidy"
	go mod tidy -diff || fail "go.mod is not tidy; run: go mod tidy"
	say "go vet"
	go vet ./...
	say "golangci-lint $GOLANGCI_LINT_VERSION"
	"$(tool github.com/golangci/golangci-lint/v2 "$GOLANGCI_LINT_VERSION" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)" run ./...
	build_if_changed
	same_versions
	say "caddy fmt and validate: ${CADDYFILES[*]}"
	for caddyfile in "${CADDYFILES[@]}"; do
		./caddy fmt --diff "$caddyfile" >.build/fmt.diff || { cat .build/fmt.diff; fail "$caddyfile is not caddy fmt-formatted"; }
		XDG_DATA_HOME=$PWD/.build/validate XDG_CONFIG_HOME=$PWD/.build/validate OPENAI_API_KEY=not-a-key \
			./caddy validate --config "$caddyfile" --adapter caddyfile >.build/validate.log 2>&1 ||
			{ cat .build/validate.log; fail "$caddyfile is not valid"; }
	done
	say "the demo, a first and a second time"
	rm -rf .build/demo-state
	go build -buildvcs=false -o .build/demo ./internal/demo
	.build/demo --once --dir .build/demo-state
	.build/demo --once --dir .build/demo-state
	# Before the tests, as a first build takes minutes; with the flags of internal/e2e/binary_test.go.
	say "the official SDKs for Go"
	go build -C internal/e2e/goclients -buildvcs=false -gcflags='github.com/openai/...=-N -l' -gcflags='github.com/anthropics/...=-N -l' -o "$PWD/.build/goclients" .
	say "without the race detector: what a request allocates, and that simulated nodes do the same twice"
	go test -run '^TestAllocationsOfARequest$' ./internal/bench
	go test ./metering/ledger/simulation
	say "the gateway without Caddy's access log: the events of a stream take a shorter way then"
	go test ./caddymodule -without-access-log
	say "go test -race ./..."
	go test -race -timeout 20m ./... # some packages are long on a slow disk, as a store syncs
}

usage() {
	cat <<'EOF'
usage: ./xcaddy.sh [build|run|test|test-tools|bench]

  ./xcaddy.sh             builds ./caddy with this plugin in it
  ./xcaddy.sh run         starts a demo on loopback: no provider key needed (run --help says more)
  ./xcaddy.sh test        installs what the tests need, then runs every check
  ./xcaddy.sh test-tools  calls the gateway by codex, claude, gemini and opencode, which it installs (1.1 GB)
  ./xcaddy.sh bench       measures the gateway beside bare Caddy (bench --help says more)
EOF
}

case ${1-} in
	-h | --help | help) usage; exit ;;
esac
command -v go >/dev/null || fail "Go is missing; version $(awk '$1 == "go" { print $2 }' go.mod) or newer is needed: https://go.dev/dl/"
case ${1-} in
	'' | build) build ;;
	run) shift; run "$@" ;;
	bench) shift; bench "$@" ;;
	test) check ;;
	test-tools) test_tools ;;
	*) usage >&2; fail "there is no use called $1" ;;
esac
