//! The order in which an outbox hands out what it was given, and what it counts.

use common::{
    codec::{PREFIX_BYTES, decode_server},
    limits::MAX_PART_BYTES,
    media::{Epoch, Origin, PictureHead, StreamId},
    message::ServerMessage,
};

use super::*;

fn picture(number: u8) -> StreamItem {
    StreamItem::Frame([Bytes::copy_from_slice(&[number]), Bytes::from_static(b"jpeg")])
}

/// The first byte of each control message, or of the picture.
async fn take(outbox: &Outbox) -> Vec<u8> {
    let pieces = outbox.next().await.unwrap();
    pieces.iter().filter(|piece| piece.len() == 1).map(|piece| piece[0]).collect()
}

#[tokio::test]
async fn control_overtakes_pictures_and_both_keep_their_order() {
    let outbox = Outbox::default();
    outbox.push_picture(picture(1)).await;
    outbox.push_picture(picture(2)).await;
    outbox.push_control(Bytes::from_static(&[10]));
    outbox.push_control(Bytes::from_static(&[11]));
    outbox.push_ping(Bytes::from_static(&[20]));
    outbox.push_ping(Bytes::from_static(&[21]));
    let order = [take(&outbox).await, take(&outbox).await, take(&outbox).await, take(&outbox).await];
    assert_eq!(order, [vec![21], vec![10, 11], vec![1], vec![2]]);
}

#[tokio::test]
async fn the_picture_lane_makes_its_filler_wait() {
    let outbox = Outbox::default();
    outbox.push_picture(picture(1)).await;
    outbox.push_picture(picture(2)).await;
    let third = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.push_picture(picture(3)).await }
    });
    tokio::task::yield_now().await;
    assert!(!third.is_finished());
    assert_eq!(take(&outbox).await, [1]);
    assert!(third.await.unwrap());
}

#[tokio::test]
async fn what_is_behind_the_lanes_goes_out_while_nothing_else_waits() {
    let outbox = Outbox::default();
    outbox.push_last(Bytes::from_static(&[30])).await;
    outbox.push_picture(picture(1)).await;
    outbox.push_control(Bytes::from_static(&[10]));
    outbox.push_ping(Bytes::from_static(&[20]));
    let order = [take(&outbox).await, take(&outbox).await, take(&outbox).await, take(&outbox).await];
    assert_eq!(order, [vec![20], vec![10], vec![1], vec![30]]);
}

#[tokio::test]
async fn the_place_behind_the_lanes_holds_one_message_and_makes_its_filler_wait() {
    let outbox = Outbox::default();
    outbox.push_last(Bytes::from_static(&[1])).await;
    let push = |number: u8| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.push_last(Bytes::copy_from_slice(&[number])).await })
    };
    let second = push(2);
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    assert_eq!(take(&outbox).await, [1]);
    second.await.unwrap();
    let third = push(3);
    tokio::task::yield_now().await;
    outbox.clear_last();
    third.await.unwrap();
    assert_eq!(take(&outbox).await, [3], "what was taken away is not sent");
    outbox.push_last(Bytes::from_static(&[4])).await;
    let fifth = push(5);
    tokio::task::yield_now().await;
    outbox.close(CloseReason::Finished);
    fifth.await.unwrap();
    assert!(outbox.next().await.is_none());
}

#[tokio::test]
async fn what_waits_counts_until_it_is_written() {
    let memory = SendMemory::default();
    let outbox = Outbox::new(&memory);
    assert_eq!(outbox.backlog(), None);
    for _ in 0..10_000 {
        outbox.push_control(Bytes::from_static(b"x"));
    }
    assert_eq!(outbox.close_reason(), None, "no number of messages closes it");
    let backlog = outbox.backlog().unwrap();
    assert_eq!(backlog.bytes, 10_000 * (1 + PLACE_BYTES));
    assert!(memory.held_bytes() > backlog.bytes);
    while outbox.lanes().control_bytes > 0 {
        outbox.next().await.unwrap();
    }
    assert!(outbox.backlog().is_some() && memory.held_bytes() > 0, "handed out, and not yet written");
    outbox.close(CloseReason::Finished);
    assert!(outbox.next().await.is_none());
    assert_eq!((outbox.backlog(), memory.held_bytes()), (None, 0));
}

#[tokio::test]
async fn a_client_that_is_cut_off_holds_nothing_any_more() {
    let memory = SendMemory::default();
    let outbox = Outbox::new(&memory);
    outbox.push_control(Bytes::from_static(b"x"));
    outbox.next().await.unwrap();
    outbox.push_control(Bytes::from_static(b"y"));
    let reason = CloseReason::CutOff { waiting_bytes: 2, waited: Duration::from_secs(9) };
    outbox.close(reason);
    outbox.cut_off().await;
    assert_eq!((outbox.close_reason(), memory.held_bytes()), (Some(reason), 0));
    assert!(outbox.next().await.is_none());
}

#[tokio::test]
async fn several_that_wait_for_calm_go_on_as_messages_are_read() {
    let outbox = Outbox::default();
    let half = Bytes::from(vec![0; CALM_BYTES / 2 + 1]);
    let filler = || {
        let (outbox, half) = (outbox.clone(), half.clone());
        tokio::spawn(async move {
            for _ in 0..50 {
                outbox.calm().await;
                outbox.push_control(half.clone());
            }
        })
    };
    let fillers = [filler(), filler()];
    for _ in 0..100 {
        outbox.next().await.unwrap();
        assert!(outbox.lanes().control_bytes <= 3 * CALM_BYTES);
    }
    for filler in fillers {
        filler.await.unwrap();
    }
}

#[tokio::test]
async fn a_corked_outbox_hands_out_nothing_before_its_first_message() {
    let outbox = Outbox::default();
    outbox.push_control(Bytes::from_static(&[0]));
    outbox.cork();
    outbox.push_control(Bytes::from_static(&[2]));
    outbox.push_ping(Bytes::from_static(&[3]));
    let frame = |number: u8| ControlFrame::new(&SendMemory::default(), Bytes::copy_from_slice(&[number]));
    let taken = tokio::spawn({
        let outbox = outbox.clone();
        async move { (take(&outbox).await, take(&outbox).await) }
    });
    tokio::task::yield_now().await;
    assert!(!taken.is_finished());
    outbox.push_opening([10, 11, 12].map(frame).to_vec());
    assert_eq!(taken.await.unwrap(), (vec![0, 10, 11, 12, 2], vec![3]));
}

#[tokio::test]
async fn only_a_ping_comes_between_the_messages_of_a_series() {
    let outbox = Outbox::default();
    let page = |number: u8| {
        let pieces = [vec![number], vec![0; BATCH_BYTES]];
        ControlFrame::of_pieces(pieces.map(|piece| SharedBytes::new(&SendMemory::default(), piece.into())))
    };
    outbox.cork();
    outbox.push_control(Bytes::from_static(&[9]));
    outbox.push_opening([1, 2, 3].map(page).to_vec());
    assert_eq!(take(&outbox).await, [1]);
    outbox.push_ping(Bytes::from_static(&[20]));
    outbox.push_picture(picture(30)).await;
    outbox.push_control(Bytes::from_static(&[8]));
    assert_eq!(outbox.push_series(&[4, 5].map(page)), 2 * (1 + BATCH_BYTES));
    let mut order = Vec::new();
    for _ in 0..7 {
        order.extend(take(&outbox).await);
    }
    assert_eq!(order, [20, 2, 3, 9, 8, 4, 5, 30]);
}

#[tokio::test]
async fn closing_still_writes_the_control_lane_but_no_more_pictures() {
    let outbox = Outbox::default();
    outbox.push_picture(picture(1)).await;
    outbox.push_control(Bytes::from_static(&[10]));
    outbox.close(CloseReason::Finished);
    outbox.push_control(Bytes::from_static(&[11]));
    assert!(!outbox.push_picture(picture(2)).await);
    assert_eq!(take(&outbox).await, [10]);
    assert!(outbox.next().await.is_none());
}

fn large_picture(bytes: usize) -> StreamItem {
    let head = PictureHead {
        stream: StreamId(1),
        epoch: Epoch(0),
        index: 0,
        height: 1440,
        pts_nanos: 0,
        duration_nanos: 1,
        jpeg_bytes: 0,
        origin: Origin::Memory,
    };
    StreamItem::Picture(PictureFrames::new(head, vec![0xab; bytes].into()))
}

async fn take_message(outbox: &Outbox) -> ServerMessage {
    decode_server(&outbox.next().await.unwrap().concat()[PREFIX_BYTES..]).unwrap()
}

#[tokio::test]
async fn a_message_waits_for_one_part_of_a_picture_and_not_for_all_of_it() {
    let outbox = Outbox::default();
    outbox.push_picture(large_picture(100_000)).await;
    outbox.push_picture(picture(1)).await;
    assert!(matches!(take_message(&outbox).await, ServerMessage::Picture { .. }));
    outbox.push_control(Bytes::from_static(&[10]));
    outbox.push_echo(Bytes::from_static(&[30]));
    outbox.push_echo(Bytes::from_static(&[31]));
    outbox.push_ping(Bytes::from_static(&[20]));
    assert_eq!([take(&outbox).await, take(&outbox).await], [vec![20, 31], vec![10]]);
    let mut bytes = 0;
    for _ in 0..3 {
        let ServerMessage::PicturePart { bytes: part, .. } = take_message(&outbox).await else { panic!("no part") };
        assert!(part.0.len() <= MAX_PART_BYTES);
        bytes += part.0.len();
    }
    assert!((60_000..100_000).contains(&bytes));
    assert_eq!(take(&outbox).await, [1]);
}

#[tokio::test]
async fn what_is_left_of_a_picture_is_discarded_with_the_lane() {
    let outbox = Outbox::default();
    outbox.push_picture(large_picture(100_000)).await;
    outbox.next().await.unwrap();
    assert!(outbox.clear_pictures(), "three parts were left");
    assert!(!outbox.clear_pictures());
    outbox.push_picture(large_picture(1000)).await;
    outbox.next().await.unwrap();
    assert!(!outbox.clear_pictures(), "all of it was handed out");
    outbox.push_picture(picture(1)).await;
    assert_eq!(take(&outbox).await, [1]);
}
