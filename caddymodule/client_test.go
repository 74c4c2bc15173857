package caddymodule

import (
	"crypto/rand"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/store"
)

// allowFrom lets the gateway's key be used from a list of networks.
func (g *gateway) allowFrom(list string) {
	g.t.Helper()
	addresses, err := limits.ParseAddressList(list)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.store.EditKey(testContext(g.t), g.keyID, func(key *store.LimitedKey) error {
		key.Addresses = addresses
		return nil
	}); err != nil {
		g.t.Fatal(err)
	}
}

func newSecret(t *testing.T) string {
	t.Helper()
	made, err := auth.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made.Reveal()
}

// Wrong keys lock the address that they come from, each time for longer; a key that was
// used from there goes on, and other addresses do not notice.
func TestGuessingKeysLocksTheAddress(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: behindProxy})
	clock := g.stopClock()
	call := func(secret, address string) reply {
		return g.callWith("/v1/models", "", fromAddress(bearer(secret), address))
	}
	if got := call(g.secret, home); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	revoked, revokedSecret := g.createKey(nil, time.Time{})
	if err := g.store.RevokeKey(testContext(t), revoked, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, expiredSecret := g.createKey(nil, time.Now().Add(-time.Hour))
	_, unused := g.createKey(nil, time.Time{})
	unknown := newSecret(t)
	for _, wait := range []string{"10", "20", "40"} {
		for i := range 9 {
			wrong := []string{unknown, revokedSecret, expiredSecret, "sk-proj-of-a-provider"}[i%4]
			if got := call(wrong, home); got.status != http.StatusUnauthorized {
				t.Fatalf("wrong key %d: %d %s", i+1, got.status, got.body)
			}
		}
		// No key at all is no guess.
		if got := g.callWith("/v1/models", "", fromAddress(http.Header{}, home)); got.errorCode() != string(dialect.CodeNoKey) {
			t.Errorf("no key: %d %s", got.status, got.body)
		}
		g.wantLimited(call(unknown, home), dialect.CodeLockedOut, "too many invalid api keys", wait)
		// While it lasts, nobody learns anything of any key.
		for name, secret := range map[string]string{"unknown": unknown, "revoked": revokedSecret, "expired": expiredSecret, "unused": unused, "malformed": "x"} {
			got := call(secret, home)
			if g.wantLimited(got, dialect.CodeLockedOut, "too many invalid api keys", wait); t.Failed() {
				t.Errorf("a key that is %s", name)
			}
		}
		if got := call(g.secret, home); got.status != http.StatusOK {
			t.Errorf("a key that was used before: %d %s", got.status, got.body)
		}
		for secret, want := range map[string]int{unused: http.StatusOK, unknown: http.StatusUnauthorized} {
			if got := call(secret, other); got.status != want {
				t.Errorf("from elsewhere: %d %s", got.status, got.body)
			}
		}
		seconds, _ := strconv.Atoi(wait)
		clock.pass(time.Duration(seconds) * time.Second)
	}
	if got := call(unused, home); got.status != http.StatusOK {
		t.Errorf("after the lock: %d %s", got.status, got.body)
	}
}

// An office has one address and many keys: one job that goes on with a revoked key shuts
// none of the others out.
func TestALockOutSparesTheKeysOfAnOffice(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: behindProxy})
	g.stopClock()
	call := func(secret string) reply {
		return g.callWith("/v1/models", "", fromAddress(bearer(secret), home))
	}
	secrets := make([]string, 30)
	for i := range secrets {
		_, secrets[i] = g.createKey(nil, time.Time{})
		if got := call(secrets[i]); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	_, unused := g.createKey(nil, time.Time{})
	revoked, revokedSecret := g.createKey(nil, time.Time{})
	if err := g.store.RevokeKey(testContext(t), revoked, time.Now()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		call(revokedSecret)
	}
	for round := range 2 { // the use of one makes no other be forgotten
		for i, secret := range secrets {
			if got := call(secret); got.status != http.StatusOK {
				t.Errorf("key %d of the office, round %d: %d %s", i+1, round+1, got.status, got.body)
			}
		}
	}
	for _, secret := range []string{revokedSecret, unused, newSecret(t)} {
		g.wantLimited(call(secret), dialect.CodeLockedOut, "too many invalid api keys", "10")
	}
}

// A lock-out comes in the shape that the caller's SDK reads.
func TestALockOutInEachDialect(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.stopClock()
	for range 10 {
		g.callWith("/v1/models", "", bearer(newSecret(t)))
	}
	g.everyDialect(newSecret(t), http.StatusTooManyRequests, "Too many invalid API keys")
}

func TestALockOutCanBeTurnedOff(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "lockout off"})
	for range 30 {
		if got := g.callWith("/v1/models", "", bearer(newSecret(t))); got.status != http.StatusUnauthorized {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
}

// A key with an address list works from there, as a trusted proxy tells it, and from
// nowhere else.
func TestAddressesOfAKey(t *testing.T) {
	g := newGateway(t, gatewayOptions{global: behindProxy})
	g.allowFrom("203.0.113.0/24,2001:db8::/32")
	g.run()
	call := func(address string) reply {
		return g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(g.secret), address))
	}
	for address, want := range map[string]int{
		home: 200, "203.0.113.255": 200, "2001:db8::1": 200, "::ffff:203.0.113.9": 200,
		other: 403, "2001:db9::1": 403, "203.0.114.1": 403, "not an address": 403,
	} {
		if got := call(address); got.status != want {
			t.Errorf("%s: %d %s", address, got.status, got.body)
		}
	}
	if got := call(other); got.errorCode() != string(dialect.CodeAddressNotAllowed) || strings.Contains(string(got.body), other) {
		t.Errorf("refused with %s", got.body)
	}
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), fromAddress(d.header(g.secret), other))
		if _, message := dialectError(t, d.name, got); got.status != http.StatusForbidden || !strings.Contains(message, "may not be used from your network address") {
			t.Errorf("%s: %d %s", d.name, got.status, got.body)
		}
	}
	g.allowFrom(other)
	waitFor(t, "the new list to be noticed", func() bool { return call(other).status == http.StatusOK })
	if got := call(home); got.status != http.StatusForbidden {
		t.Errorf("from the old list: %d", got.status)
	}
}

// Whoever calls directly cannot say that they are somebody else.
func TestAnUntrustedClientCannotChooseItsAddress(t *testing.T) {
	g := newGateway(t, gatewayOptions{extra: "client_limits {\nrpm 2\n}"})
	g.allowFrom(home)
	g.run()
	g.stopClock()
	if got := g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(g.secret), home)); got.status != http.StatusForbidden {
		t.Errorf("%d %s", got.status, got.body)
	}
	_, secret := g.createKey(nil, time.Time{})
	statuses := map[int]int{}
	for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		statuses[g.callWith("/v1/models", "", fromAddress(bearer(secret), address)).status]++
	}
	if statuses[http.StatusOK] != 2 || statuses[http.StatusTooManyRequests] != 1 {
		t.Errorf("answers to three addresses that are one: %v", statuses)
	}
}

// Limits know the client's address in memory; no file does.
func TestNoAddressIsWrittenForTheSakeOfLimits(t *testing.T) {
	const watched = "203.0.113.77"
	g := newGateway(t, gatewayOptions{global: behindProxy, extra: "client_limits {\nrpm 2\nconcurrency 5\n}"})
	g.allowFrom("203.0.113.0/24")
	g.run()
	g.stopClock()
	narrow := g.narrowKey(other)
	for _, secret := range []string{narrow, g.secret, g.secret, g.secret} { // refused, answered twice, limited
		g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(secret), watched))
	}
	for range 12 { // wrong, and locked out
		g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(newSecret(t)), watched))
	}
	g.records(2)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []dialect.Code{dialect.CodeAddressNotAllowed, dialect.CodeRateLimited, dialect.CodeUnknownKey, dialect.CodeLockedOut} {
		if !strings.Contains(string(log), string(code)) {
			t.Errorf("there was no %s, so that the search proves nothing", code)
		}
	}
	searchFiles(t, []string{g.directory}, "", map[string]string{"client address": watched})
}

// narrowKey makes another key, for one address.
func (g *gateway) narrowKey(address string) (secret string) {
	g.t.Helper()
	before := g.keyID
	defer func() { g.keyID = before }()
	g.keyID, secret = g.createKey(nil, time.Time{})
	g.allowFrom(address)
	return secret
}
