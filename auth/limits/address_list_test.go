package limits

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressList(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " \n": "",
		"203.0.113.7": "203.0.113.7/32", "2001:DB8::7": "2001:db8::7/128", "::ffff:203.0.113.7": "203.0.113.7/32",
		"203.0.113.0/24, 2001:db8::/32\n198.51.100.7":                                "198.51.100.7/32,203.0.113.0/24,2001:db8::/32",
		"10.0.0.0/8,10.1.0.0/16,10.255.255.255,10.0.0.0/8,11.0.0.0/8,0.0.0.0/0,::/0": "0.0.0.0/0,::/0",
		"10.1.0.0/16,10.0.0.0/16":                                                    "10.0.0.0/16,10.1.0.0/16",
		"::ffff:10.0.0.0/104":                                                        "10.0.0.0/8", "::ffff:0:0/96": "0.0.0.0/0",
	} {
		list, err := ParseAddressList(text)
		if err != nil || list.String() != want || list.Everywhere() != (want == "") {
			t.Errorf("%q: got %q, %v", text, list, err)
		}
	}
	for text, advice := range map[string]string{
		"203.0.113.7/24":      "write 203.0.113.0/24 for the network or 203.0.113.7 for the address",
		"2001:db8::1/32":      "write 2001:db8::/32 for the network",
		"::ffff:10.0.0.1/104": "write 10.0.0.0/8 for the network or 10.0.0.1 for",
		"203.0.113.0/33":      "write an address like", "203.0.113.0/": "write an address like", "203.0.113/24": "write an address like",
		"010.0.0.1": "write an address like", "example.com": "write an address like", "203.0.113.0-203.0.113.9": "write an address like",
		"203.0.113.0/024": "write an address like", "*": "write an address like", "10.0.0.1:443": "write an address like",
		"fe80::1%eth0": "leave out the %", "fe80::%eth0/64": "write an address like", "::ffff:0:0/90": "write the IPv4 network by itself",
		",": "leave it empty", "10.0.0.1;10.0.0.2": "write an address like", strings.Repeat("x", 5000): "write an address like",
		strings.Repeat("10.0.0.1,", mostAddresses+1): "write larger networks",
	} {
		list, err := ParseAddressList(text)
		if !errors.Is(err, ErrAddressList) || !strings.Contains(err.Error(), advice) || !list.Everywhere() || len(err.Error()) > 300 {
			t.Errorf("%.80q: %v", text, err)
		}
	}
}

func TestAddressListAllows(t *testing.T) {
	list, err := ParseAddressList("203.0.113.0/24,198.51.100.7,2001:db8::/32,::1")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"203.0.113.0": true, "203.0.113.255": true, "::ffff:203.0.113.9": true, "198.51.100.7": true, "2001:db8:ffff::1": true, "2001:db8::1%eth0": true, "::1": true,
		"203.0.112.255": false, "203.0.114.0": false, "198.51.100.6": false, "198.51.100.8": false, "2001:db7:ffff::": false, "2001:db9::": false, "::2": false,
		"0.0.0.0": false, "255.255.255.255": false, "::": false, "::203.0.113.9": false,
	} {
		if got := list.Allows(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if list.Allows(netip.Addr{}) || !(AddressList{}).Allows(netip.Addr{}) || !(AddressList{}).Allows(netip.MustParseAddr("::1")) {
		t.Error("no address, or no list")
	}
	// One family says nothing about the other.
	for text, other := range map[string]string{"0.0.0.0/0": "2001:db8::1", "::/0": "203.0.113.9"} {
		if list, err := ParseAddressList(text); err != nil || list.Allows(netip.MustParseAddr(other)) {
			t.Errorf("%s allows %s", text, other)
		}
	}
}

func FuzzAddressList(f *testing.F) {
	f.Add("203.0.113.0/24, 2001:db8::/32 198.51.100.7", []byte{203, 0, 113, 9})
	f.Add("::ffff:10.0.0.0/104,10.0.0.0/9", []byte{10, 255, 0, 1})
	f.Add("0.0.0.0/0,::/0", []byte{15: 1})
	f.Add("fe80::1%eth0", []byte{0xfe, 0x80, 15: 1})
	f.Fuzz(func(t *testing.T, text string, from []byte) {
		list, err := ParseAddressList(text)
		if err != nil {
			if !errors.Is(err, ErrAddressList) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseAddressList(list.String())
		if err != nil || again.String() != list.String() {
			t.Fatalf("%q becomes %q: %v", list, again, err)
		}
		checked := []netip.Addr{}
		if address, ok := netip.AddrFromSlice(from); ok {
			checked = append(checked, address)
		}
		for _, network := range list.networks { // the edges are where a search goes wrong
			checked = append(checked, network.Addr(), network.Addr().Prev(), network.Addr().Next())
		}
		for _, address := range checked {
			if got, want := list.Allows(address), allowsOneByOne(text, address); got != want {
				t.Fatalf("%q allows %s: %v", text, address, got)
			}
		}
	})
}

// allowsOneByOne asks every entry as it was written.
func allowsOneByOne(text string, from netip.Addr) bool {
	entries := strings.FieldsFunc(text, separates)
	for _, entry := range entries {
		if !strings.Contains(entry, "/") {
			entry = fmt.Sprintf("%s/%d", entry, netip.MustParseAddr(entry).BitLen())
		}
		network := netip.MustParsePrefix(entry)
		from := from.WithZone("")
		if network.Addr().Is4In6() && from.Unmap().Is4() {
			from = netip.AddrFrom16(from.As16()) // ::ffff:a.b.c.d, as in the entry
			if entryContains(network, from) {
				return true
			}
			continue
		}
		if network.Contains(from.Unmap()) {
			return true
		}
	}
	return len(entries) == 0
}

// entryContains compares bits, as netip never lets a network contain a mapped address.
func entryContains(network netip.Prefix, address netip.Addr) bool {
	masked, err := address.Prefix(network.Bits())
	return err == nil && masked.Addr() == network.Addr()
}
