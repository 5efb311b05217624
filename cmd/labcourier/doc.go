// Labcourier brings the results of laboratory analyzers to a FHIR server. See
// the README for what it promises and how to set it up.
package main
