// Package freeaddress finds addresses of this machine for servers that tests and
// measurements start as processes of their own, and that cannot be asked which port
// they were given.
//
// A port that the system hands out for port 0 is from the range that it also takes
// the ports of outgoing connections from (RFC 6056, 3.2). Between the moment that it is free
// and the moment that the server listens, any connection on the machine may get it. So the ports
// are from below that range.
//
//	address, err := freeaddress.Find() // "127.0.0.1:17231"
package freeaddress

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Linux takes the ports of connections from 32768 on (ip(7), ip_local_port_range), other
// systems from higher ones.
const (
	lowest  = 10_000
	highest = 32_767
	tries   = 1000
)

var (
	mutex sync.Mutex
	given = make(map[int]bool) // to this process, which may not listen yet
)

// Find returns an address on loopback where nobody listens, on any of the machine's
// addresses, and which it has not returned before.
func Find() (string, error) {
	mutex.Lock()
	defer mutex.Unlock()
	for range tries {
		port := lowest + rand.IntN(highest-lowest+1)
		if given[port] {
			continue
		}
		listener, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("finding a free address: %w", err)
		}
		if err := listener.Close(); err != nil {
			return "", fmt.Errorf("finding a free address: %w", err)
		}
		given[port] = true
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
	}
	return "", fmt.Errorf("finding a free address: none of %d ports was free", tries)
}
