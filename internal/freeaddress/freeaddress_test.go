package freeaddress_test

import (
	"net"
	"testing"

	"github.com/faregate/faregate/internal/freeaddress"
)

// Each address is another one, can be listened on, and is none that Linux gives to a
// connection.
func TestFind(t *testing.T) {
	found := make(map[string]bool)
	for range 50 {
		address, err := freeaddress.Find()
		if err != nil {
			t.Fatal(err)
		}
		if found[address] {
			t.Fatalf("%s came twice", address)
		}
		found[address] = true
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if port := listener.Addr().(*net.TCPAddr).Port; port >= 32_768 {
			t.Errorf("%s may be a connection's", address)
		}
	}
}
