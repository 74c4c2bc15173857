package upstream

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestAddressesOfProviders(t *testing.T) {
	const (
		fine    = iota
		private // for private providers only
		never
	)
	for text, want := range map[string]int{
		"8.8.8.8": fine, "1.1.1.1": fine, "172.15.255.255": fine, "172.32.0.0": fine, "100.63.255.255": fine, "100.128.0.0": fine, "198.20.0.0": fine, "9.255.255.255": fine,
		"2606:4700::1111": fine, "2001:4860:4860::8888": fine, "::ffff:8.8.8.8": fine, "64:ff9b::808:808": fine,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "127.0.0.1": private, "127.255.255.254": private, "169.254.1.1": private,
		"100.64.0.1": private, "100.127.255.255": private, "192.0.0.8": private, "192.0.2.1": private, "198.18.0.1": private, "198.19.255.255": private, "203.0.113.7": private,
		"::1": private, "fc00::1": private, "fdff::1": private, "fe80::1": private, "fe80::1%eth0": private, "fec0::1": private, "2001:db8::1": private, "2001::1": private, "100::1": private,
		"::ffff:10.0.0.1": private, "::ffff:127.0.0.1": private, "::127.0.0.1": private, "64:ff9b::a00:1": private, "2002:7f00:1::1": private, "64:ff9b:1::a00:1": private,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "224.0.0.1": never, "239.255.255.255": never, "240.0.0.1": never, "255.255.255.255": never, "ff02::1": never,
		"169.254.169.254": never, "::ffff:169.254.169.254": never, "64:ff9b::a9fe:a9fe": never, "2002:a9fe:a9fe::": never, "169.254.170.2": never, "fd00:ec2::254": never,
		"fd20:ce::254": never, "168.63.129.16": never, "100.100.100.200": never, "192.0.0.192": never,
	} {
		for _, isPrivate := range []bool{false, true} {
			err := CheckAddress(netip.MustParseAddr(text), isPrivate)
			if refused := want == never || want == private && !isPrivate; (err != nil) != refused || refused && !errors.Is(err, ErrAddressRefused) {
				t.Errorf("%s, private %v: %v", text, isPrivate, err)
			}
		}
	}
	for _, row := range [][2]string{{"tcp4", "no address"}, {"tcp4", "example.com:443"}, {"unix", "/run/x"}, {"unix", "8.8.8.8:443"}} {
		if err := GuardDial(true)(row[0], row[1], nil); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// With a real dialer and a name: what counts is where it leads.
func TestNoNameLeadsIntoTheOwnNetwork(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for private, want := range map[bool]bool{true: true, false: false} {
		dialer := &net.Dialer{Control: GuardDial(private), Timeout: 10 * time.Second}
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
			connection, err := dialer.Dial("tcp", host+":"+port)
			if (err == nil) != want {
				t.Errorf("%s, private %v: %v", host, private, err)
			}
			if err == nil {
				connection.Close()
			} else if !errors.Is(err, ErrAddressRefused) {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Control: GuardDial(false)}).DialContext}}
	if _, err := client.Get("http://localhost:" + port); !errors.Is(err, ErrAddressRefused) || ResultOfError(err) != Unreachable {
		t.Errorf("%v is %v", err, ResultOfError(err))
	}
}
