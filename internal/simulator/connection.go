package simulator

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

type connectionKey struct{}

// ConnContext is for http.Server.ConnContext (httptest: server.Config). It lets
// Reset reach the socket below HTTP/2, which cannot be hijacked.
func ConnContext(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connection)
}

// cut ends the answer as the fault says. It does not return.
func (d *delivery) cut(fault Fault) {
	d.cutConnection(fault)
	// Keeps net/http from finishing the message, and over HTTP/2 resets the
	// stream.
	panic(http.ErrAbortHandler)
}

func (d *delivery) cutConnection(fault Fault) {
	if d.request.ProtoMajor >= 2 {
		if connection, ok := d.request.Context().Value(connectionKey{}).(net.Conn); ok && fault == Reset {
			reset(connection)
		}
		return
	}
	connection := d.hijacked
	if connection == nil {
		var err error
		connection, _, err = http.NewResponseController(d.writer).Hijack()
		if err != nil {
			return // no socket below, as with httptest.ResponseRecorder
		}
	}
	if fault == Reset {
		reset(connection)
		return
	}
	connection.Close()
}

// reset closes with RST instead of FIN: with a linger time of zero the kernel
// drops the connection at once (SO_LINGER, socket(7)). Under TLS the socket is
// closed below the session, which therefore gets no close_notify.
func reset(connection net.Conn) {
	if session, ok := connection.(*tls.Conn); ok {
		connection = session.NetConn()
	}
	if socket, ok := connection.(*net.TCPConn); ok {
		_ = socket.SetLinger(0) // a socket that is gone already needs no reset
	}
	connection.Close()
}
