//! The number, order and places of the channels of sound.
//!
//! ```text
//! | order 1 | count 1 | order 1: mask 4 | order 2: one byte a channel |
//! ```
//!
//! [E-RTMP v2 "Enhanced Audio"]

use alloc::vec::Vec;

use nom::{
    IResult, Parser,
    bytes::complete::take,
    combinator::fail,
    number::complete::{be_u8, be_u32},
};

/// The channels of an audio track: the body of a multichannel configuration.
///
/// [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "other orders are reserved and not understood"
)]
pub enum ChannelConfig {
    /// So many channels in an order that is not told.
    Unspecified(u8),
    /// Channels in the order of [`AudioChannel`].
    Native {
        /// The number, which should be that of the places in the mask.
        count: u8,
        /// Which there are.
        mask: ChannelMask,
    },
    /// The place of each channel, the first first; at most 255 count.
    Custom(Vec<AudioChannel>),
}

impl ChannelConfig {
    /// The channels in `mask`, in their natural order.
    pub fn native(mask: ChannelMask) -> Self {
        let count = u8::try_from(mask.0.count_ones()).expect("at most 32");
        Self::Native { count, mask }
    }

    /// Reads the body of a multichannel configuration; `None` if it is cut off or its order is
    /// reserved.
    pub fn decode(body: &[u8]) -> Option<Self> {
        fn fields(input: &[u8]) -> IResult<&[u8], ChannelConfig> {
            let (input, (order, count)) = (be_u8, be_u8).parse(input)?;
            match order {
                UNSPECIFIED => Ok((input, ChannelConfig::Unspecified(count))),
                NATIVE => {
                    let (input, mask) = be_u32.map(ChannelMask).parse(input)?;
                    Ok((input, ChannelConfig::Native { count, mask }))
                }
                CUSTOM => {
                    let (input, places) = take(count)(input)?;
                    let places = places.iter().copied().map(AudioChannel);
                    Ok((input, ChannelConfig::Custom(places.collect())))
                }
                _ => fail().parse(input),
            }
        }
        fields(body).ok().map(|(_, config)| config)
    }

    /// The body of a multichannel configuration.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Unspecified(count) => [UNSPECIFIED, *count].into(),
            Self::Native { count, mask } => [&[NATIVE, *count][..], &mask.0.to_be_bytes()].concat(),
            Self::Custom(places) => {
                let places = places.iter().take(usize::from(u8::MAX));
                let count = u8::try_from(places.len()).expect("that many were taken");
                let places = places.map(|place| place.0);
                [CUSTOM, count].into_iter().chain(places).collect()
            }
        }
    }

    /// How many channels there are.
    pub fn count(&self) -> u8 {
        match self {
            Self::Unspecified(count) | Self::Native { count, .. } => *count,
            Self::Custom(places) => u8::try_from(places.len()).unwrap_or(u8::MAX),
        }
    }
}

/// A set of places of loudspeakers: an open registry, with the bits that have no name kept.
///
/// [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "flags from an open registry")]
pub struct ChannelMask(pub u32);

impl ChannelMask {
    /// Front centre alone.
    pub const MONO: Self = Self::of(&[AudioChannel::FRONT_CENTER]);
    /// Front left and right.
    pub const STEREO: Self = Self::of(&[AudioChannel::FRONT_LEFT, AudioChannel::FRONT_RIGHT]);
    /// 5.1 with the surround channels at the back.
    pub const SURROUND_5_1: Self = Self(0x3F);
    /// 7.1.
    pub const SURROUND_7_1: Self = Self(0x63F);

    /// The set of `channels`; those without a bit (unused, unknown, reserved) are left out.
    pub const fn of(channels: &[AudioChannel]) -> Self {
        let (mut mask, mut rest) = (0, channels);
        while let [channel, others @ ..] = rest {
            if channel.0 < 24 {
                mask |= 1 << channel.0;
            }
            rest = others;
        }
        Self(mask)
    }

    /// Whether `channel` is in the set.
    pub const fn contains(self, channel: AudioChannel) -> bool {
        channel.0 < 24 && self.0 >> channel.0 & 1 == 1
    }

    /// The channels in their natural order.
    pub fn channels(self) -> impl Iterator<Item = AudioChannel> {
        (0..24)
            .map(AudioChannel)
            .filter(move |&channel| self.contains(channel))
    }
}

/// The place of a loudspeaker: an open registry.
///
/// [E-RTMP v2 "Enhanced Audio"]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from an open registry")]
pub struct AudioChannel(pub u8);

registry!(AudioChannel {
    /// Front left.
    FRONT_LEFT = 0,
    /// Front right.
    FRONT_RIGHT = 1,
    /// Front centre.
    FRONT_CENTER = 2,
    /// Low frequencies.
    LOW_FREQUENCY_1 = 3,
    /// Back left.
    BACK_LEFT = 4,
    /// Back right.
    BACK_RIGHT = 5,
    /// Between front left and centre.
    FRONT_LEFT_CENTER = 6,
    /// Between front right and centre.
    FRONT_RIGHT_CENTER = 7,
    /// Back centre.
    BACK_CENTER = 8,
    /// Side left.
    SIDE_LEFT = 9,
    /// Side right.
    SIDE_RIGHT = 10,
    /// Top centre.
    TOP_CENTER = 11,
    /// Top front left.
    TOP_FRONT_LEFT = 12,
    /// Top front centre.
    TOP_FRONT_CENTER = 13,
    /// Top front right.
    TOP_FRONT_RIGHT = 14,
    /// Top back left.
    TOP_BACK_LEFT = 15,
    /// Top back centre.
    TOP_BACK_CENTER = 16,
    /// Top back right.
    TOP_BACK_RIGHT = 17,
    /// Low frequencies, of 22.2.
    LOW_FREQUENCY_2 = 18,
    /// Top side left.
    TOP_SIDE_LEFT = 19,
    /// Top side right.
    TOP_SIDE_RIGHT = 20,
    /// Bottom front centre.
    BOTTOM_FRONT_CENTER = 21,
    /// Bottom front left.
    BOTTOM_FRONT_LEFT = 22,
    /// Bottom front right.
    BOTTOM_FRONT_RIGHT = 23,
    /// The channel is empty and can be skipped.
    UNUSED = 0xFE,
    /// The channel is not empty, its place is not known.
    UNKNOWN = 0xFF,
});

/// AudioChannelOrder.
const UNSPECIFIED: u8 = 0;
const NATIVE: u8 = 1;
const CUSTOM: u8 = 2;

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// ERTMP-78 to ERTMP-83: the first two are in veovera's e-rtmp-lab (Lavf62.3.100), the others
    /// by v2 "Enhanced Audio" (ExAudioTagBody).
    #[test]
    fn all_orders() {
        for (body, config) in [
            (
                &hex!("01 02 00000003")[..],
                ChannelConfig::native(ChannelMask::STEREO),
            ),
            (
                &hex!("01 01 00000004"),
                ChannelConfig::native(ChannelMask::MONO),
            ),
            (
                &hex!("01 06 0000003F"),
                ChannelConfig::native(ChannelMask::SURROUND_5_1),
            ),
            (&hex!("00 08"), ChannelConfig::Unspecified(8)),
            (
                &hex!("02 03 17 FE FF"),
                ChannelConfig::Custom(vec![
                    AudioChannel::BOTTOM_FRONT_RIGHT,
                    AudioChannel::UNUSED,
                    AudioChannel::UNKNOWN,
                ]),
            ),
        ] {
            assert_eq!(ChannelConfig::decode(body), Some(config.clone()));
            assert_eq!(config.encode(), body);
            assert_eq!(config.count(), body[1]);
        }
        for body in [
            &hex!("")[..],
            &hex!("01 02 000000"),
            &hex!("02 02 00"),
            &hex!("03 01"),
        ] {
            assert_eq!(ChannelConfig::decode(body), None);
        }
    }

    /// ERTMP-80, ERTMP-81: a bit for each place, in the same order.
    #[test]
    fn mask_and_places() {
        let all = ChannelMask(0xFF_FFFF);
        let places: Vec<_> = all.channels().collect();
        assert_eq!(places.len(), 24);
        assert_eq!(ChannelMask::of(&places), all);
        assert!(!ChannelMask(u32::MAX).contains(AudioChannel::UNKNOWN));
        assert_eq!(
            ChannelMask::of(&[AudioChannel::UNUSED]),
            ChannelMask::default()
        );
        assert_eq!(
            ChannelMask::of(&[AudioChannel::LOW_FREQUENCY_2]).0,
            0x04_0000
        );
        assert_eq!(format!("{:?}", AudioChannel(10)), "SIDE_RIGHT");
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(body: Vec<u8>) {
            if let Some(config) = ChannelConfig::decode(&body) {
                prop_assert!(body.starts_with(&config.encode()));
            }
        }
    }
}
