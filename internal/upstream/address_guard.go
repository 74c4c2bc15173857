package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrAddressRefused says that a provider's name led to an address that it may not
// have.
var ErrAddressRefused = errors.New("the provider's address is refused")

// AddressError is ErrAddressRefused with the address.
type AddressError struct {
	Address netip.Addr
	// Never tells that the address is refused to private providers too.
	Never bool
}

func (e *AddressError) Error() string {
	if e.Never {
		return fmt.Sprintf("%s is an address at which no provider can be", e.Address)
	}
	return fmt.Sprintf("%s is not an address on the internet: if the provider is on a network of your own, say private in its block", e.Address)
}

// Unwrap returns ErrAddressRefused.
func (e *AddressError) Unwrap() error { return ErrAddressRefused }

// GuardDial is a net.Dialer's Control: it judges the address that a name was resolved
// to just before it is dialled, so that no name can lead into the gateway's own
// network, also not by changing between two look-ups. Providers that are configured
// as private may be there, but not at the addresses where clouds hand out their
// machines' credentials.
//
//	dialer := &net.Dialer{Control: upstream.GuardDial(provider.Private)}
func GuardDial(private bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		switch network {
		case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6": // UDP for HTTP/3
		default:
			return fmt.Errorf("%w: network %s", ErrAddressRefused, network)
		}
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: it is no IP address", ErrAddressRefused)
		}
		return CheckAddress(target.Addr(), private)
	}
}

// CheckAddress tells whether a provider may be at an address. The error is an
// AddressError.
func CheckAddress(address netip.Addr, private bool) error {
	for _, meant := range meanings(address.WithZone("")) {
		switch {
		case within(neverProviders, meant):
			return &AddressError{Address: address, Never: true}
		case !private && within(notInternet, meant):
			return &AddressError{Address: address}
		}
	}
	return nil
}

// meanings are an address and the IPv4 address inside it, where it has one: a gateway
// in the network may take it there.
func meanings(address netip.Addr) []netip.Addr {
	if address.Is4() {
		return []netip.Addr{address}
	}
	if address.Is4In6() {
		return []netip.Addr{address.Unmap()}
	}
	meant := []netip.Addr{address}
	bytes := address.As16()
	switch {
	case nat64.Contains(address):
		meant = append(meant, netip.AddrFrom4([4]byte(bytes[12:16])))
	case sixToFour.Contains(address):
		meant = append(meant, netip.AddrFrom4([4]byte(bytes[2:6])))
	}
	return meant
}

func within(ranges []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(address) })
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056

	// notInternet are the ranges that IANA's special-purpose registries say are not
	// globally reachable (RFC 6890 and updates).
	notInternet = prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private, RFC 1918
		"100.64.0.0/10",  // carrier-grade NAT, RFC 6598
		"127.0.0.0/8",    // loopback
		"169.254.0.0/16", // link-local
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"::1/128",
		"::/96", // IPv4-compatible, deprecated
		"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
		"fc00::/7",  // unique local
		"fe80::/10", // link-local
		"fec0::/10", // site-local, deprecated
	)

	// neverProviders are addresses of nobody, of many, and of clouds' metadata.
	neverProviders = prefixes(
		"0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8",
		"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128", // AWS and most others
		"fd20:ce::254/128",   // Google
		"168.63.129.16/32",   // Azure
		"100.100.100.200/32", // Alibaba
		"192.0.0.192/32",     // Oracle
	)
)
