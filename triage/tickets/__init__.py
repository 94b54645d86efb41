"""What is a ticket, and where is its story kept?"""
