// A TLS server with Encrypted Client Hello (RFC 9849) for the tests beside it.
//
// It reads one JSON value from stdin, which is its setup, and writes JSON to stdout, a value a line: where it is and
// what a record has to say of it; then each connection when it is accepted, and once more when its handshake is over.
// It ends when stdin does.
package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

type setup struct {
	PublicName string `json:"public_name"`
	// In PEM, each with its key. The first is for whom none is good.
	Certificates []string `json:"certificates"`
	// All on one port.
	Sites []site `json:"sites"`
}

type site struct {
	IP string `json:"ip"`
	// One of those in keysOf, or "tls12", which has no ECH either.
	Manner string `json:"manner"`
}

type ready struct {
	Port int `json:"port"`
	// An ECHConfigList of one, in hexadecimal.
	Configs string `json:"configs"`
}

type accepted struct {
	Accepted string `json:"accepted"`
}

type handshake struct {
	// In the order in which connections were accepted, which is not that in which handshakes end.
	Number int64  `json:"number"`
	IP     string `json:"ip"`
	// Of the hello in clear, and of the one that counts.
	OuterName string `json:"outer_name"`
	Name      string `json:"name"`
	// Whether there was an extension of ECH, be it without meaning, and whether the inner hello counts.
	EchOffered  bool     `json:"ech_offered"`
	EchAccepted bool     `json:"ech_accepted"`
	Protocols   []string `json:"protocols"`
	Protocol    string   `json:"protocol"`
	Version     string   `json:"version"`
	Resumed     bool     `json:"resumed"`
	Error       string   `json:"error"`
}

// Writes whole lines, whoever writes.
var lines = log.New(os.Stdout, "", 0)

func main() {
	var setup setup
	must(json.NewDecoder(os.Stdin).Decode(&setup))

	certificates := make([]tls.Certificate, len(setup.Certificates))
	for i, pem := range setup.Certificates {
		certificate, err := tls.X509KeyPair([]byte(pem), []byte(pem))
		must(err)
		certificates[i] = certificate
	}
	published := newKey(setup.PublicName)
	port, listeners := listen(setup.Sites)
	connections := make(chan net.Conn)
	for i, site := range setup.Sites {
		go accept(listeners[i], configOf(site.Manner, published, setup.PublicName, certificates), connections)
	}
	go answer(connections)
	report(ready{Port: port, Configs: hex.EncodeToString(append16(nil, published.Config))})

	_, err := io.Copy(io.Discard, os.Stdin)
	must(err)
}

// Binds one free port on the address of every site.
func listen(sites []site) (int, []net.Listener) {
	for {
		port := 0
		var listeners []net.Listener
		for _, site := range sites {
			listener, err := net.Listen("tcp", net.JoinHostPort(site.IP, strconv.Itoa(port)))
			if port != 0 && errors.Is(err, syscall.EADDRINUSE) {
				break
			}
			must(err)
			port = listener.Addr().(*net.TCPAddr).Port
			listeners = append(listeners, listener)
		}
		if len(listeners) == len(sites) {
			return port, listeners
		}
		for _, listener := range listeners {
			must(listener.Close())
		}
	}
}

func configOf(manner string, published tls.EncryptedClientHelloKey, publicName string, certificates []tls.Certificate) *tls.Config {
	config := &tls.Config{Certificates: certificates, NextProtos: []string{"h2", "http/1.1"}}
	if manner == "tls12" {
		config.MaxVersion = tls.VersionTLS12
		manner = "none"
	}
	keys := keysOf(manner, published, publicName)
	// Called for a hello in clear with ECH, and later for every client, for what to send to one that was rejected.
	config.GetEncryptedClientHelloKeys = func(hello *tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) {
		if c := hello.Conn.(*connection); !c.isChosen {
			c.handshake.EchOffered, c.handshake.OuterName = true, hello.ServerName
		}
		return keys(), nil
	}
	// Called for the hello that counts.
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := hello.Conn.(*connection)
		c.isChosen = true
		c.handshake.Name, c.handshake.Protocols = hello.ServerName, hello.SupportedProtos
		if !c.handshake.EchOffered {
			c.handshake.OuterName = hello.ServerName
		}
		return nil, nil
	}
	return config
}

// The keys that a server has.
func keysOf(manner string, published tls.EncryptedClientHelloKey, publicName string) func() []tls.EncryptedClientHelloKey {
	other := newKey(publicName)
	switch manner {
	case "current":
		return func() []tls.EncryptedClientHelloKey { return []tls.EncryptedClientHelloKey{published} }
	case "stale":
		return func() []tls.EncryptedClientHelloKey { return []tls.EncryptedClientHelloKey{other} }
	// A key that nobody is told of.
	case "disabled":
		other.SendAsRetry = false
		return func() []tls.EncryptedClientHelloKey { return []tls.EncryptedClientHelloKey{other} }
	// Every key is another one, and so each retry is rejected too.
	case "moving":
		return func() []tls.EncryptedClientHelloKey { return []tls.EncryptedClientHelloKey{newKey(publicName)} }
	case "none":
		return func() []tls.EncryptedClientHelloKey { return nil }
	}
	panic("no such manner: " + manner)
}

func newKey(publicName string) tls.EncryptedClientHelloKey {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(err)
	config := echConfig(private.PublicKey().Bytes(), publicName)
	return tls.EncryptedClientHelloKey{Config: config, PrivateKey: private.Bytes(), SendAsRetry: true}
}

// An ECHConfig (RFC 9849 section 4).
func echConfig(public []byte, publicName string) []byte {
	contents := []byte{public[0]}                     // config_id
	contents = append(contents, 0x00, 0x20)           // DHKEM(X25519, HKDF-SHA256)
	contents = append16(contents, public)             // public_key
	contents = append16(contents, []byte{0, 1, 0, 1}) // HKDF-SHA256 with AES-128-GCM
	contents = append(contents, 0)                    // maximum_name_length: unknown
	contents = append(contents, byte(len(publicName)))
	contents = append(contents, publicName...)
	contents = append16(contents, nil) // extensions
	return append16([]byte{0xfe, 0x0d}, contents)
}

// Appends a vector with its length in two octets.
func append16(to, vector []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(vector))), vector...)
}

type connection struct {
	net.Conn
	// Whether it is known which hello counts.
	isChosen  bool
	handshake handshake
}

var numbers atomic.Int64

func accept(listener net.Listener, config *tls.Config, connections chan<- net.Conn) {
	for {
		tcp, err := listener.Accept()
		must(err)
		ip := tcp.LocalAddr().(*net.TCPAddr).IP.String()
		connection := &connection{Conn: tcp, handshake: handshake{Number: numbers.Add(1), IP: ip}}
		report(accepted{ip})
		go func() {
			if tls := tls.Server(connection, config); connection.finish(tls) {
				connections <- tls
			} else {
				tcp.Close()
			}
		}()
	}
}

// Shakes hands, and says what came of it.
func (c *connection) finish(conn *tls.Conn) bool {
	err := conn.Handshake()
	if err != nil {
		c.handshake.Error = err.Error()
	}
	state := conn.ConnectionState()
	c.handshake.EchAccepted = state.ECHAccepted
	c.handshake.Protocol = state.NegotiatedProtocol
	c.handshake.Version = tls.VersionName(state.Version)
	c.handshake.Resumed = state.DidResume
	report(c.handshake)
	return err == nil
}

// Answers every request on the connections with nothing.
func answer(connections chan net.Conn) {
	server := http.Server{
		Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		TLSConfig: &tls.Config{NextProtos: []string{"h2", "http/1.1"}},
		// How connections end is the client's to judge.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	must(server.Serve(finished(connections)))
}

// Connections whose handshake is done, as what a server takes them from.
type finished chan net.Conn

func (f finished) Accept() (net.Conn, error) { return <-f, nil }
func (f finished) Close() error              { return nil }
func (f finished) Addr() net.Addr            { return &net.TCPAddr{} }

func report(value any) {
	line, err := json.Marshal(value)
	must(err)
	lines.Println(string(line))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
