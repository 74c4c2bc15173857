package limits

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrAddressList says that a text is not a list of addresses.
var ErrAddressList = errors.New("not a usable address list")

// mostAddresses bounds what a key carries along.
const mostAddresses = 128

// AddressList is from where a key may be used: networks in CIDR form and single
// addresses. The zero value allows every address. It is never changed, and may be
// used by many goroutines at once.
type AddressList struct {
	// Sorted by address, without overlap.
	networks []netip.Prefix
}

// ParseAddressList reads entries that stand apart by commas or white space, like
// "203.0.113.0/24, 2001:db8::/32 198.51.100.7". An empty text allows every address.
// An IPv6 network that stands for IPv4 (::ffff:203.0.113.0/120) is taken as that.
func ParseAddressList(text string) (AddressList, error) {
	var networks []netip.Prefix
	for entry := range strings.FieldsFuncSeq(text, separates) {
		parsed, err := parseNetwork(entry)
		if err != nil {
			return AddressList{}, err
		}
		if len(networks) == mostAddresses {
			return AddressList{}, fmt.Errorf("%w: it has more than %d entries; write larger networks", ErrAddressList, mostAddresses)
		}
		networks = append(networks, parsed)
	}
	if len(networks) == 0 && strings.TrimSpace(text) != "" { // only commas: a slip, and no leave for everybody
		return AddressList{}, fmt.Errorf("%w: it has no entry; leave it empty to allow every address", ErrAddressList)
	}
	return AddressList{networks: merge(networks)}, nil
}

func separates(r rune) bool {
	return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
}

func parseNetwork(entry string) (netip.Prefix, error) {
	wrong := func(advice string) (netip.Prefix, error) {
		if len(entry) > 64 {
			entry = entry[:64] + "…"
		}
		return netip.Prefix{}, fmt.Errorf("%w: %q: %s", ErrAddressList, entry, advice)
	}
	const form = "write an address like 203.0.113.7 or 2001:db8::7, or a network like 203.0.113.0/24 or 2001:db8::/32"
	if !strings.Contains(entry, "/") {
		address, err := netip.ParseAddr(entry)
		switch {
		case err != nil:
			return wrong(form)
		case address.Zone() != "":
			return wrong("an address with a zone is only known on its own machine; leave out the % and what follows")
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(entry)
	if err != nil {
		return wrong(form)
	}
	if network.Addr().Is4In6() {
		if network.Bits() < 96 {
			return wrong("it mixes IPv4 and IPv6; write the IPv4 network by itself, like 203.0.113.0/24")
		}
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	if network != network.Masked() {
		return wrong(fmt.Sprintf("the address goes beyond the network; write %s for the network or %s for the address", network.Masked(), network.Addr()))
	}
	return network, nil
}

// merge sorts networks and leaves out those that lie in others.
func merge(networks []netip.Prefix) []netip.Prefix {
	slices.SortFunc(networks, func(a, b netip.Prefix) int {
		if order := a.Addr().Compare(b.Addr()); order != 0 {
			return order
		}
		return a.Bits() - b.Bits()
	})
	kept := networks[:0]
	for _, network := range networks {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(network.Addr()) {
			kept = append(kept, network)
		}
	}
	return slices.Clip(kept)
}

// Allows tells whether the key may be used from an address. An address that is not
// valid is only allowed where every one is.
func (l AddressList) Allows(address netip.Addr) bool {
	if len(l.networks) == 0 {
		return true
	}
	address = address.Unmap().WithZone("")
	after, found := slices.BinarySearchFunc(l.networks, address, func(n netip.Prefix, a netip.Addr) int { return n.Addr().Compare(a) })
	return found || after > 0 && l.networks[after-1].Contains(address)
}

// Everywhere tells whether the list allows every address, as it is empty.
func (l AddressList) Everywhere() bool { return len(l.networks) == 0 }

// String writes the list in the one form that is kept: sorted, by commas, without
// entries that lie in others. ParseAddressList reads it.
func (l AddressList) String() string {
	var text strings.Builder
	for i, network := range l.networks {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(network.String())
	}
	return text.String()
}
