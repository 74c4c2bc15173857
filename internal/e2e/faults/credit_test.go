package faults

import (
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
)

// stores are where credit is shared: by how many gateways, on what.
var stores = []struct {
	name     string
	open     func(*testing.T) *fleet
	gateways int
}{
	{"sqlite", onSQLite, 1},
	{"postgres", func(t *testing.T) *fleet { return onPostgres(t, &cluster) }, 1},
	{"postgres with three gateways", func(t *testing.T) *fleet { return onPostgres(t, &cluster) }, 3},
}

// TestManyAtOnce sends 200 calls at once against credit that can be held for 20 of them.
// Where it pays for all in the end, all are served; where it does not, nobody is refused
// whom it would still have paid for, and not a nano-dollar too much is spent.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const (
		calls  = 200
		atOnce = 20
		// outputCap is so low that it is never lowered, which would let in more at once.
		outputCap = 1000
	)
	// The gateway takes every byte of a request for a token.
	longest := metering.Nanos(len(chatJSON.body)+4*(leastNumber+calls)+100)*chatJSON.input + outputCap*chatJSON.output
	for _, s := range stores {
		for name, credit := range map[string]metering.Nanos{"credit for all": atOnce * longest, "credit for some": 2*longest + atOnce*answerTokens*chatJSON.output} {
			t.Run(s.name+", "+name, func(t *testing.T) {
				t.Parallel()
				f := s.open(t)
				var gateways []*gateway
				for range s.gateways {
					gateways = append(gateways, f.startGateway())
				}
				books := f.newBooks(f.newCustomer(credit))
				l := &load{began: time.Now()}
				client := newClient()
				defer client.CloseIdleConnections()
				var mu sync.Mutex
				refused, needed := 0, credit
				for i := range calls {
					l.running.Go(func() {
						c := l.call(client, gateways[i%len(gateways)], books.customer, chatJSON)
						if c.complete() {
							return
						}
						found := regexp.MustCompile(`can cost up to \$([0-9.]+)`).FindSubmatch(c.body)
						if c.status != http.StatusPaymentRequired || found == nil {
							t.Errorf("%v", c)
							return
						}
						amount, err := metering.ParseUSD(string(found[1]))
						mu.Lock()
						defer mu.Unlock()
						if refused++; err != nil {
							t.Error(err)
						}
						needed = min(needed, amount)
					})
				}
				made := l.wait()
				took := time.Since(l.began)
				for _, g := range gateways {
					g.stop()
				}
				count := books.compare(made, l.began)
				left := credit - books.spent
				t.Logf("%+v, %d refused in %s; %s of %s left, where a call needs %s", count, refused, took.Round(time.Millisecond), left, credit, needed)
				switch {
				case name == "credit for all" && refused > 0:
					t.Errorf("%d calls were refused, although there was credit for all", refused)
				case name != "credit for all" && refused == 0:
					t.Error("nobody was refused: the test proves nothing")
				case refused > 0 && left >= needed:
					t.Errorf("a call that needs %s was refused, and %s are left", needed, left)
				}
			})
		}
	}
}

// TestVanishedGateway kills the gateway that has all the credit of an account. Another one
// serves the account when the lease of the first has ended; nobody is told that the credit
// is short.
func TestVanishedGateway(t *testing.T) {
	t.Parallel()
	f := onPostgres(t, &cluster)
	first, second := f.startGateway(), f.startGateway()
	books := f.newBooks(f.newCustomer(metering.Dollar / 20)) // little enough to go whole to one gateway
	l := &load{began: time.Now()}
	client := newClient()
	defer client.CloseIdleConnections()
	if c := l.call(client, first, books.customer, chatJSON); !c.complete() {
		t.Fatal(c)
	}
	first.kill()
	killed := time.Now()
	for range 3 {
		l.running.Go(func() {
			if c := l.call(client, second, books.customer, chatJSON); !c.complete() {
				t.Errorf("after %s: %v", time.Since(killed), c)
			}
		})
	}
	calls := l.wait()
	took := time.Since(killed)
	second.stop()
	t.Logf("served after %s", took.Round(100*time.Millisecond))
	if got := fmt.Sprintf("%+v", books.compare(calls, l.began)); got != "{calls:4 complete:4 charged:4 unseen:0 free:0}" {
		t.Error(got)
	}
}
