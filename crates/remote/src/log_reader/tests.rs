use model_transparency::log::monitor::{ApiLog as _, TiledLog as _};
use model_transparency::log::{EntryBundle, Tile, TileSource as _};

use super::*;
use crate::testing::{IMPATIENCE, Reply, Service};

fn open(service: &Service) -> Result<LogReader, OpenLogError> {
    LogReader::with_patience(&service.url(), IMPATIENCE)
}

fn tiles(service: &Service) -> HttpTiles {
    match open(service).expect("it answers") {
        LogReader::Tiles(tiles) => tiles,
        LogReader::Api(_) => panic!("it has a checkpoint"),
    }
}

fn paths(service: &Service) -> Vec<String> {
    service.requests().iter().map(|request| request.path().to_owned()).collect()
}

#[test]
fn tiles_are_looked_for_where_they_may_be() {
    for missing in [404, 403, 405, 501] {
        let service = Service::start(move |request| match request.path() {
            "/checkpoint" => Reply::ok("note"),
            _ => Reply::new(missing, ""),
        });
        let mut tiles = tiles(&service);
        assert_eq!(tiles.checkpoint().expect("it is there"), "note");
        assert_eq!(paths(&service), ["/api/v2/checkpoint", "/checkpoint", "/checkpoint"]);
        assert!(service.requests().iter().all(|request| request.header("cache-control") == Some("no-cache")));
    }
    let service = Service::start(|_| Reply::new(404, ""));
    assert!(matches!(open(&service), Ok(LogReader::Api(_))));
    let service = Service::start(|_| Reply::new(500, ""));
    assert!(matches!(open(&service), Err(OpenLogError::Service(_))));
    assert!(matches!(LogReader::open("ftp://log.example"), Err(OpenLogError::Url(_))));
}

#[test]
fn a_partial_tile_that_is_gone_is_read_where_it_is_full() {
    let service = Service::start(|request| match request.path() {
        "/api/v2/checkpoint" => Reply::ok("note"),
        "/api/v2/tile/0/000" => Reply::ok("tile"),
        "/api/v2/tile/entries/001" => Reply::ok("x".repeat(EntryBundle::MAX_BYTES + 1)),
        _ => Reply::new(404, ""),
    });
    let mut tiles = tiles(&service);
    assert_eq!(tiles.tile(Tile::of(3, 0, 0).expect("there is one")), Ok(b"tile".to_vec()));
    assert_eq!(paths(&service)[1..], ["/api/v2/tile/0/000.p/3", "/api/v2/tile/0/000"]);
    let large = tiles.entries(EntryBundle::of(512, 1).expect("there is one")).expect_err("too large").to_string();
    assert!(large.contains("gave an answer of more than 16777"), "{large}");
    let none = tiles.entries(EntryBundle::of(3, 0).expect("there is one")).expect_err("gone").to_string();
    assert!(none.contains("does not have `tile/entries/000.p/3`"), "{none}");
}

#[test]
fn the_interface_is_asked_for_ten_entries_at_most() {
    let service = Service::start(|request| match request.path() {
        "/api/v1/log" => {
            Reply::ok(r#"{"signedTreeHead":"new","treeID":"2","inactiveShards":[{"signedTreeHead":"old"}]}"#)
        }
        "/api/v1/log/proof" => Reply::ok(format!(r#"{{"hashes":["{}"],"rootHash":""}}"#, "0a".repeat(32))),
        "/api/v1/log/entries/retrieve" => Reply::ok(r#"[{"uuid":{"body":"!"}}]"#),
        _ => Reply::new(404, ""),
    });
    let Ok(LogReader::Api(mut api)) = open(&service) else { panic!("it has no tiles") };
    assert_eq!(api.checkpoints().expect("both"), ["old", "new"]);
    assert_eq!(api.consistency(2, 3, 4).expect("one hash").len(), 1);
    let error = api.entries(7, 100).expect_err("no entry").to_string();
    assert!(error.contains("not as expected"), "{error}");
    let requests = service.requests();
    let [.., proof, entries] = requests.as_slice() else { panic!("it was asked") };
    let parameters = ["firstSize", "lastSize", "treeID"].map(|name| proof.parameter(name));
    assert_eq!(parameters, ["3", "4", "2"].map(|value| Some(value.to_owned())));
    assert_eq!(entries.body, r#"{"logIndexes":[7,8,9,10,11,12,13,14,15,16]}"#);
}
