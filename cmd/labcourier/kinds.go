package main

import (
	"github.com/labcourier/labcourier/drivers"
	"github.com/labcourier/labcourier/drivers/astm"
	"github.com/labcourier/labcourier/drivers/hl7"
	"github.com/labcourier/labcourier/drivers/poct"
	"github.com/labcourier/labcourier/drivers/text"
)

// kinds is the list of protocols that this program speaks. There is no other.
func kinds() []drivers.Kind {
	return []drivers.Kind{
		astm.Kind(),
		hl7.Kind(),
		poct.Kind(),
		text.Kind(),
	}
}
