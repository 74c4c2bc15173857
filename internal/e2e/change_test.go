package e2e

import (
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"
)

// noticedAfter calls until the answer has the status, which must be within a second
// from the moment on. It returns how many calls were answered with success, each of
// which costs the same.
func (c *customer) noticedAfter(t *testing.T, since time.Time, status int) (paid int) {
	t.Helper()
	within(t, patience, fmt.Sprintf("the answer is %d", status), func() bool {
		got, _, body, err := c.send(http.MethodPost, "/v1/chat/completions", shortChat, "Authorization", "Bearer "+c.secret)
		if err != nil {
			t.Fatal(err)
		}
		switch got {
		case http.StatusOK:
			paid++
		case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		default:
			t.Fatalf("answered %d: %s", got, body)
		}
		return got == status
	})
	if took := time.Since(since); took > noticed {
		t.Errorf("the server noticed after %s, want %s", took, noticed)
	}
	return paid
}

const shortChat = `{"model":"gpt-4.1-mini","max_tokens":5,"messages":[{"role":"user","content":"` + hello + `"}]}`

// What the command line changes while the server runs is in force within a second,
// although the server has the key in its cache.
func TestServerNoticesTheCommandLine(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	paid := c.noticedAfter(t, time.Now(), http.StatusOK)
	for _, change := range []struct {
		name   string
		status int
		do     []string
	}{
		{"suspend", http.StatusForbidden, []string{"account", "suspend", "rider", "--reason", "a test"}},
		{"resume", http.StatusOK, []string{"account", "resume", "rider"}},
		{"suspend again", http.StatusForbidden, []string{"account", "suspend", "rider", "--reason", "another test"}},
		{"resume again", http.StatusOK, []string{"account", "resume", "rider"}},
		{"revoke", http.StatusUnauthorized, []string{"key", "revoke", c.keyID}},
	} {
		t.Run(change.name, func(t *testing.T) {
			g.in(t).run(change.do...)
			paid += c.noticedAfter(t, time.Now(), change.status)
		})
	}
	// A new key works at once: the server has never heard of it.
	c.keyID, c.secret = c.newKey()
	paid += c.noticedAfter(t, time.Now(), http.StatusOK)

	spent := new(big.Rat)
	for range c.records(paid) {
		spent.Add(spent, price(t, plain(helloTokens, 5), "gpt-4.1-mini"))
	}
	c.expectSpent(spent)
}

// A rotated key has another secret; the one before it works for as long as was said.
func TestRotationIsNoticed(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	paid := c.noticedAfter(t, time.Now(), http.StatusOK)
	former := *c
	var rotated struct{ ID, Secret string }
	g.one(&rotated, "key", "rotate", c.keyID, "--grace", "1h")
	if rotated.ID != c.keyID || rotated.Secret == c.secret {
		t.Fatalf("the key %s became %s", c.keyID, rotated.ID)
	}
	c.secret = rotated.Secret
	paid += c.noticedAfter(t, time.Now(), http.StatusOK) + former.noticedAfter(t, time.Now(), http.StatusOK)
	former.secret = rotated.Secret
	g.one(&rotated, "key", "rotate", c.keyID)
	c.secret = rotated.Secret
	paid += c.noticedAfter(t, time.Now(), http.StatusOK) + former.noticedAfter(t, time.Now(), http.StatusUnauthorized)
	g.run("key", "revoke", c.keyID)
	paid += c.noticedAfter(t, time.Now(), http.StatusUnauthorized)

	spent := new(big.Rat)
	for _, r := range c.records(paid) {
		if r.KeyID != c.keyID {
			t.Errorf("record %+v", r)
		}
		spent.Add(spent, price(t, plain(helloTokens, 5), "gpt-4.1-mini"))
	}
	c.expectSpent(spent)
}

// An account that was refused for lack of credit works again within a second of a
// deposit.
func TestDepositIsNoticed(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "0.000010")
	if paid := c.noticedAfter(t, time.Now(), http.StatusPaymentRequired); paid != 0 {
		t.Fatalf("%d calls were answered without credit", paid)
	}
	c.deposit("0.10")
	paid := c.noticedAfter(t, time.Now(), http.StatusOK)
	if paid != 1 {
		t.Errorf("%d calls were paid, want 1", paid)
	}
	spent := new(big.Rat)
	for _, r := range c.records(len(c.run("usage", "--account", c.name))) {
		if r.Status == "ok" {
			spent.Add(spent, r.expectCharge(t, plain(helloTokens, 5), "gpt-4.1-mini"))
		} else if r.Status != "rejected" || r.HTTPStatus != http.StatusPaymentRequired {
			t.Errorf("record %+v", r)
		}
	}
	c.expectSpent(spent)
}
