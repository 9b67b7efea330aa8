//! What a server keeps for late joiners and slow players.
