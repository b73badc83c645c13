"""Pictures and words of a session, from its log into its `report` folder."""
