package faults

import (
	"strings"
	"time"

	"github.com/faregate/faregate/metering"
)

// books compare what the store says of a customer with what its clients saw.
type books struct {
	*fleet
	customer *customer
	known    map[string]bool // records that were looked at
	spent    metering.Nanos
}

func (f *fleet) newBooks(c *customer) *books {
	return &books{fleet: f, customer: c, known: make(map[string]bool)}
}

// counts are of calls.
type counts struct {
	calls    int
	complete int // the client saw the end
	charged  int
	unseen   int // charged, but without a seen end
	free     int // neither
}

func (c *counts) add(more counts) {
	c.calls += more.calls
	c.complete += more.complete
	c.charged += more.charged
	c.unseen += more.unseen
	c.free += more.free
}

// compare looks at these calls, all that were made since then, at their records, and at
// the whole ledger.
func (b *books) compare(calls []*call, since time.Time) (count counts) {
	b.t.Helper()
	byID, byNumber := make(map[string]*call), make(map[int64]*call)
	for _, c := range calls {
		byNumber[c.number] = c
		if c.id != "" {
			byID[c.id] = c
		}
	}
	charged := make(map[*call]bool)
	for _, record := range b.records(b.customer, since.Add(-time.Second)) {
		if b.known[record.ID] {
			continue
		}
		b.known[record.ID] = true
		if record.Status == metering.StatusInterrupted || record.Status == metering.StatusRejected {
			if record.Cost != 0 || byID[record.ID].complete() {
				b.t.Errorf("%v is recorded as %+v", byID[record.ID], record)
			}
			continue
		}
		c := byID[record.ID]
		if c == nil { // not even the answer's header was seen
			c = byNumber[record.Usage.InputTotal]
		}
		switch {
		case c == nil || c.id != "" && c.id != record.ID:
			b.t.Errorf("a record of nobody's call: %+v", record)
			continue
		case charged[c]:
			b.t.Errorf("charged twice: %v: %+v", c, record)
		case record.Cost != c.price() || record.Shortfall != 0 || record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured:
			b.t.Errorf("%v costs %s, but is recorded as %+v", c, c.price(), record)
		}
		charged[c] = true
		b.spent += record.Cost
	}
	for _, c := range calls {
		switch {
		case c.complete() && !charged[c]:
			b.t.Errorf("seen complete, but not charged: %v", c)
		case c.complete():
			count.complete++
		case charged[c] && !b.handedOver(c):
			b.t.Errorf("charged, but not handed over: %v", c)
		case charged[c]:
			count.unseen++
		default:
			count.free++
		}
	}
	count.calls, count.charged = len(calls), len(charged)
	b.expectSpent(b.customer, b.spent)
	return count
}

// handedOver tells whether all of the answer but its terminal bytes was given to the
// client: of a stream all its words, of a document nothing, but the provider had ended it.
func (b *books) handedOver(c *call) bool {
	if c.terminal != "" {
		return strings.Contains(string(c.body), c.last)
	}
	path, _, _ := strings.Cut(c.path, "?")
	for _, received := range b.provider.Requests() {
		if received.Ended && !received.ClosedEarly && strings.HasPrefix(received.RequestURI, path) && strings.Contains(string(received.Body), c.marker()) {
			return true
		}
	}
	return false
}
