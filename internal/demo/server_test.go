package main

import (
	"net"
	"path/filepath"
	"testing"
)

func TestFreeAddressSkipsATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	address, err := freeAddress(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	if address == taken.Addr().String() {
		t.Errorf("got the taken address %s", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	_ = listener.Close()
}

func TestOnlyOneDemoPerDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path); err == nil {
		t.Fatal("a second demo got the lock")
	}
	unlock()
	unlock, err = lock(path)
	if err != nil {
		t.Fatalf("the lock outlived its holder: %v", err)
	}
	unlock()
}
