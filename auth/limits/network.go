package limits

import (
	"encoding/binary"
	"net/netip"
)

// network is the part of a client's address that is counted: an IPv6 customer has at
// least a /64, and could else have as many counts as there are addresses in it. IPv4
// addresses stand in ::/32, from where no client calls.
type network uint64

// networkOf returns the network of a valid address. Addresses that carry an IPv4
// address within the provider's network (NAT64, 6to4) are taken as IPv6.
func networkOf(address netip.Addr) network {
	address = address.Unmap()
	if address.Is4() {
		bytes := address.As4()
		return network(binary.BigEndian.Uint32(bytes[:]))
	}
	bytes := address.As16()
	return network(binary.BigEndian.Uint64(bytes[:8]))
}
