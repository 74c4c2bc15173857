package caddymodule

import (
	"net/http"
	"testing"

	"github.com/faregate/faregate/internal/store"
)

// A running server goes by what was changed of a key, as it does by a revocation.
func TestAChangedKeyIsNoticed(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	edit := func(change func(*store.LimitedKey)) {
		t.Helper()
		if _, err := g.store.EditKey(testContext(t), g.keyID, func(key *store.LimitedKey) error { change(key); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(key *store.LimitedKey) { key.Models = []string{"claude-*"} })
	waitFor(t, "the models to be noticed", func() bool {
		return g.call(chatJSON.path, chatJSON.body).status == http.StatusForbidden
	})
	edit(func(key *store.LimitedKey) { key.Models, key.ExactCaps = nil, true })
	waitFor(t, "the models and the exact caps to be noticed", func() bool {
		return g.call(chatJSON.path, chatJSON.body).status == http.StatusOK
	})
	value, _ := runtimes.LoadOrStore(g.address, nil)
	defer func() { _, _ = runtimes.Delete(g.address) }()
	principal, err := value.(*runtime).verifier.Verify(testContext(t), g.secret)
	if err != nil || !principal.ExactCaps {
		t.Errorf("the key stands for %+v, %v", principal, err)
	}
}
