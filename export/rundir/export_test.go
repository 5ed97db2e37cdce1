package rundir

// What the tests look at, which use package winnow and stand outside for it.

type Place = place

var EachStand = eachStand

func PlaceOf(list, reason string) Place { return place{list, reason} }
