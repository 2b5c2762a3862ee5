// A timestamp authority of sigstore/timestamp-authority on loopback, with a key and a chain that it makes.
//
// `timestamp-server` serves metrics on a port that can't be chosen, so that two don't run on one machine.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

func main() {
	port := flag.Int("port", 0, "the port on which to serve requests")
	flag.Parse()

	// What the flags of `timestamp-server` are by default.
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("default-policy-oid", "1.3.6.1.4.1.57264.2")
	viper.Set("accepted-policy-oids", []string{"1.3.6.1.4.1.57264.2"})
	viper.Set("max-request-body-size", 1<<20)

	timeout := 30 * time.Second
	if err := server.NewRestAPIServer("127.0.0.1", *port, []string{"http"}, false, timeout, timeout).Serve(); err != nil {
		log.Fatal(err)
	}
}
